import frame from './page.html'
import board from './parts/board.html'
import elements from './parts/elements.html'
import moneyWords from './parts/money-words.html'
import needs from './parts/needs.html'
import savings from './parts/savings.html'
import style from './parts/style.html'
import whatIf from './parts/what-if.html'
import words from './parts/words.html'

/** Files that replace each mark in the frame. Scripts run in this order, and each uses names that earlier ones declare. */
const PARTS: [mark: string, texts: string[]][] = [
  ['<!-- style -->', [style]],
  ['<!-- scripts -->', [words, moneyWords, elements, savings, needs, whatIf, board]],
]

/**
 * The served page, one document. The Worker joins its parts when it starts. The parts are whole elements in `.html` files: the rule
 * for text modules covers those, so no build step is needed.
 */
export const html = PARTS.reduce((page, [mark, texts]) => page.replace(mark, () => texts.join('')), frame)
