import frame from './page.html'
import board from './parts/board.html'
import elements from './parts/elements.html'
import moneyWords from './parts/money-words.html'
import needs from './parts/needs.html'
import savings from './parts/savings.html'
import style from './parts/style.html'
import whatIf from './parts/what-if.html'
import words from './parts/words.html'

/** What stands for each mark in the frame. Scripts run in this order, and each sees what those before it declare. */
const PARTS: [mark: string, texts: string[]][] = [
  ['<!-- style -->', [style]],
  ['<!-- scripts -->', [words, moneyWords, elements, savings, needs, whatIf, board]],
]

/**
 * The page as it is served: one document, put together from its parts when the Worker starts. The parts are whole elements in
 * `.html` files, so that the rule for text modules covers them and no step of a build can be forgotten.
 */
export const html = PARTS.reduce((page, [mark, texts]) => page.replace(mark, () => texts.join('')), frame)
