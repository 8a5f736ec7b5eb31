import { isConditional, lineBefore } from './context.ts'
import { SKIPPED } from './rule.ts'
import type { TextRule } from './rule.ts'

/** Rules about lines that programs write into a prompt and that differ from call to call, or from machine to machine. */

const NUMBER = '\\d[\\d,._]{0,15}'
const OF = '\\s?(?:/|of|out of)\\s?'
const ROUND =
  '(?:iteration|turn|attempt|loop|try|message|request|call|cycle|retry|run|conversation|query|prompt|session|visit)'
const THINGS = '(?:tokens?|messages?|turns?|steps?|iterations?|requests?|(?:tool )?calls?|attempts?|tries|credits?)'
/** Between a name and its value, in text, in JSON and in XML. */
const SIGN = '["\'`]?\\s{0,3}[:=>]\\s{0,3}["\'`]?'
const ALONE = '(?<![\\p{L}\\d_-])'
const LINE_START = '(?:^|[\\n<>])[ \\t]{0,8}(?:[-*] )?'

const COUNTS = [
  `\\bthis is (?:the |your )?(?:iteration|turn|attempt|request|message|call|retry|run) (?:#|no\\.? ?|number )?\\d+\\b`,
  `you(?: are|['’]re) (?:now |currently )?(?:in|on|at) (?:step|round|stage|phase) \\d+${OF}\\d`,
  `${LINE_START}(?:round|step) \\d+\\s?/\\s?\\d+\\b(?!\\s?[:–-]\\s?\\p{L})`,
  `${ALONE}(?:loop |current )?iteration ?#\\d+`,
  // "You are in iteration 7"
  `(?:you(?: are|['’]re) (?:now |currently )?|(?:now|currently) )(?:in|on|at) (?:the |your )?${ROUND} (?:#|no\\.? ?|number )?\\d+\\b`,
  // "Turn 3/10", but not "Turn 3 of 10: ask for the order"
  `(?:^|[\\n.!?:;(|>\\[] ?|[-*] |current )${ROUND}(?: count| number| no\\.?)?\\s?[:=#]?\\s?\\d+${OF}\\d+\\b(?!\\s?[:–-]\\s?\\p{L})`,
  `${ALONE}(?:current[-_ ])?(?:iteration|turn|attempt|loop|cycle)${SIGN}\\d+\\b(?=["'\`]?\\s?(?:$|[\\n,;}<)\\]]))`,
  `${ALONE}(?:iteration|turn|step|message|request|token|conversation)s?[-_ ](?:count|number|index|so far|today|sent|used|consumed|remaining|left)${SIGN}\\d`,
  `${ALONE}(?:remaining|used|consumed)[-_ ](?:context|budget|${THINGS})${SIGN}\\$?\\d`,
  `${ALONE}(?:messages|turns|requests|(?:tool )?calls|iterations|steps|tokens|cost|spend)(?: in this (?:conversation|session|chat)|(?: made| sent| used| spent)? so far| today)${SIGN}[$€]?\\d`,
  `${ALONE}session[-_ ](?:cost|spend)${SIGN}[$€]?\\d`,
  `${ALONE}(?:token|context)[-_ ]?usage${SIGN}\\d`,
  `${ALONE}context (?:used|left|remaining)[^\\n:=>]{0,24}${SIGN}\\d`,
  `${ALONE}context${SIGN}\\d{1,3} ?% (?:used|left|full|remaining)\\b`,
  `(?<![\\d,.])${NUMBER} ?k?${OF}${NUMBER} ?k? ${THINGS} (?:used|remaining|left|consumed|so far)\\b`,
  `(?<![\\d,.])\\d[\\d,._]{3,15}${OF}\\d[\\d,._]{3,15} (?:used|remaining|left|consumed)\\b`,
  `\\b(?:used|consumed) ${NUMBER} ?k?${OF}${NUMBER} ?k? ${THINGS}\\b`,
  `${LINE_START}${NUMBER} ${THINGS} (?:left|remaining)\\b`,
  `\\byou(?: have|['’]ve)(?: already)? (?:used|spent|consumed) ${NUMBER} ${THINGS}(?: (?:so far|already)|\\s?[.,;\\n]|$)`,
  `<(?:budget:)?token_budget>\\s?\\d`,
  `\\byou(?: have|['’]ve)(?: already)? (?:used|made|spent|sent|consumed) ${NUMBER}${OF}\\d`,
  `\\b(?:you have|you['’]ve got|there are) (?:only )?${NUMBER} ${THINGS} (?:left|remaining)\\b`,
  `(?<![\\d,.])\\d{1,3}(?:[.,]\\d{1,3})? ?% of (?:the |your )?(?:context(?: window)?|token budget|budget|quota) (?:is |was )?(?:used|remaining|left|full)\\b`,
  `${ALONE}current[-_ ]step${SIGN}\\d{1,6}(?:${OF}\\d{1,6})?(?=["'\`]?\\s?(?:$|[\\n;}<)\\]]))`,
  `${LINE_START}(?:uptime|elapsed(?: time)?|time remaining)${SIGN}\\d`,
]

/** Hexadecimal digits of which some are letters and some are not. */
const HEX = '(?=[0-9a-f]{0,63}\\d)(?=[0-9a-f]{0,63}[a-f])[0-9a-f]'

const RANDOM = [
  `${ALONE}(?:nonce|cache[-_ ]?bust(?:er|ing)?|salt|entropy|random[-_ ]?(?:seed|number|token|string|value|id)|seed)["'\`>\\])]?\\s{0,3}[:=#>]?\\s{0,3}["'\`]?${HEX}{6,64}\\b`,
  `${ALONE}(?:cache[-_ ]?key|unique[-_ ]?id|random|_?cb)${SIGN}(?=[a-z.]{0,63}\\d)[a-z\\d.]{6,64}(?![\\w-])`,
  `${LINE_START}x-[a-z-]{0,40}(?:signature|digest|nonce)${SIGN}(?=[a-z.]{0,63}\\d)[a-z\\d.]{6,64}(?![\\w-])`,
  `${LINE_START}(?:nonce|seed|salt) \\d{6,20}\\b`,
]

const PATH = '(?:/|~/|[a-z]:[\\\\/])[\\w.~/\\\\-]'

const ENVIRONMENT = [
  `${LINE_START}(?:dir|directory)${SIGN}${PATH}`,
  `${ALONE}(?:(?:working|project|workspace|root|home|repo|repository)[-_ ](?:dir|directory|directories|root|folder|path)|cwd|pwd|workspace|current (?:dir|directory))(?:${SIGN}|\\sis\\s["'\`]?)${PATH}`,
  '\\b(?:running|working|located|operating|started|launched|you are) (?:in|from) ["\'`]?(?:/(?:home|users|root|srv|var|tmp|workspaces?|private|mnt|opt)/|~/|[a-z]:\\\\)\\w',
  `\\bcurrent working directory \\(${PATH}`,
  `\\bworking in (?:the |these )?(?:following )?(?:directory|directories|folders?):\\s{0,8}(?:[-*] )?["'\`]?${PATH}`,
  `${LINE_START}(?:my |the )?operating system is:? (?:darwin|linux|win32|windows|macos)[ \\t.]{0,8}(?=\\r?\\n|$)`,
  `${LINE_START}git[-_ ]?status${SIGN}`,
  // The short form of git: "M src/mill.ts"
  `${LINE_START}(?:git )?status:[ \\t]{0,8}\\r?\\n {0,2}(?:[MADRCU]{1,2}|\\?\\?) [^\\s]{0,200}[./]\\S`,
  `${LINE_START}commit(?:${SIGN}| )${HEX}{7,40}(?=["'\`]?\\s?(?:$|[\\n,;}<)(]))`,
  `${LINE_START}(?:current[-_ ]?|git[-_ ]?){0,2}branch${SIGN}[\\w./-]{2,200}["'\`]?[ \\t]{0,8}(?=\\r?\\n|$|<)`,
  `${LINE_START}on branch \\S{1,200}[ \\t]{0,8}(?=\\r?\\n|$)`,
  `${LINE_START}(?:recent|last|latest)[-_ ](?:\\d{1,3} )?commits?${SIGN}`,
  `${LINE_START}(?:head|(?:last|latest|current|git)[-_ ]commit(?: hash| sha)?)(?:${SIGN}| (?:is )?(?:now )?at )[0-9a-f]{7,40}\\b`,
  `${LINE_START}(?:nothing to commit, working tree clean|your branch is (?:up to date|ahead|behind)|changes (?:not staged for commit|to be committed))`,
  `${ALONE}(?:host[-_ ]?name|pid|process[-_ ]id)${SIGN}(?=[\\w.-]{0,60}\\d)[\\w.-]{3,}`,
  // "Main branch (you will usually use this for PRs): main", but not a rule behind the colon
  `${LINE_START}main branch(?: \\([^()\\n]{1,80}\\))?${SIGN}[\\w./-]{2,200}["'\`]?[ \\t]{0,8}(?=\\r?\\n|$|<)`,
  `\\b(?:running|started|launched) on (?:host|pod|container) ["'\`]?(?=[\\w.-]{0,60}\\d)[a-z][\\w.]{0,60}-[\\w.-]`,
  `${LINE_START}platform${SIGN}(?:darwin|linux|win32|freebsd)["'\`]?[ \\t]{0,8}(?=\\r?\\n|$|<)`,
  `${LINE_START}(?:os(?:[-_ ]version)?|operating system)${SIGN}(?:darwin|linux|windows|macos|mac os x|ubuntu|debian|fedora)\\b(?![^\\n]{0,80}\\b(?:or|and|later|newer)\\b)[^\\n<\\d]{0,20}\\d`,
  `${LINE_START}build(?: (?:number|no\\.?|id))?(?: #?|: ?|=)\\d{3,10}\\.?[ \\t]{0,8}(?=\\r?\\n|$|<)`,
]

/** Numbers that count where they stand alone, and are headings where lines near them have other ones. */
const LONE_COUNTS = [
  `${LINE_START}(?:loop|iteration) #?\\d{1,6}:`,
  `${LINE_START}step \\d{1,4} of \\d{1,4}\\.?[ \\t]{0,8}(?=\\r?\\n|$|<)`,
]
const HEADING = joined([`${LINE_START}(?:loop|iteration|step) #?(\\d{1,6})\\b`])
/** Characters on both sides in which another heading is looked for. */
const NEAR_CHARACTERS = 600

function isLone({ 0: found, index }: RegExpExecArray, text: string): boolean {
  const number = /\d+/.exec(found)?.[0]
  const near = text.slice(Math.max(0, index - NEAR_CHARACTERS), index + NEAR_CHARACTERS)
  return near.matchAll(HEADING).every(([, other]) => other === number)
}

const RANDOM_FIX = 'Remove it: every new value misses the cache. Providers have a parameter for randomness.'

export const CHANGING_LINES: readonly TextRule[] = [
  {
    cause: 'random_seed',
    kind: 'volatile',
    what: 'a random value',
    fix: RANDOM_FIX,
    pattern:
      /\b(?:nonce|cache[-_ ]?bust(?:er|ing)?|random[-_ ]?(?:seed|number|token|string|value|id)|seed)["'`]?\s*(?:[:=#]|is\b)\s*["'`]?(?=\w*\d)\w{2,}/gi,
    ...SKIPPED,
  },
  {
    cause: 'random_seed',
    kind: 'volatile',
    what: 'a random value',
    fix: RANDOM_FIX,
    pattern: joined(RANDOM),
    ...SKIPPED,
  },
  {
    cause: 'random_seed',
    kind: 'volatile',
    what: 'a random value',
    fix: RANDOM_FIX,
    // A digest that is all of its line.
    pattern: joined([
      `(?<=^|\\n)[ \\t]{0,8}(?:<!--|\\[|\\(|#|//)?\\s?${HEX}{16,64}\\s?(?:-->|\\]|\\))?[ \\t]{0,8}(?=\\r?\\n|$)`,
    ]),
    ...SKIPPED,
  },
  {
    // The source of the form is in docs/lint.md, under "Attribution headers".
    cause: 'random_seed',
    kind: 'volatile',
    what: 'a billing or attribution header, whose digest differs in each request',
    fix: 'Switch it off at the client that writes it, or remove the line before sending.',
    pattern: joined([
      `(?<=^|\\n)[ \\t]{0,8}x-[a-z-]{0,40}(?:billing|attribution)[a-z-]{0,40}:[^\\n]{0,400}\\d`,
      '\\bcch=[0-9a-f]{4,}',
    ]),
    ...SKIPPED,
  },
  {
    cause: 'counter',
    kind: 'volatile',
    what: 'a counter',
    fix: 'Remove it, or move it after the last breakpoint.',
    pattern:
      /(?:^|[\n.!?:;([|>] ?|this is (?:your |the )?|current |[-*] )(?:request|turn|message|call|attempt|query|conversation|session|iteration|visit|run|prompt|anfrage|nachricht|requête|mensaje|solicitud)(?: (?:no\.?|number|nr\.?|count|n°|nº)| ?#)[:=]? ?\d+\b/gi,
    inExamples: 'skip',
    inTurns: false,
  },
  {
    cause: 'counter',
    kind: 'volatile',
    what: 'a counter',
    fix: 'Remove it, or move it after the last breakpoint.',
    pattern: joined(COUNTS),
    confirm: ({ index }, text) => !isConditional(lineBefore(text, index)),
    inExamples: 'skip',
    inTurns: false,
  },
  {
    cause: 'counter',
    kind: 'volatile',
    what: 'a counter',
    fix: 'Remove it, or move it after the last breakpoint.',
    pattern: joined(LONE_COUNTS),
    confirm: isLone,
    inExamples: 'skip',
    inTurns: false,
  },
  {
    cause: 'environment',
    severity: 'hint',
    kind: 'volatile',
    what: 'the state of a machine or a repository (a directory, a branch, a commit, a system, a build)',
    fix: 'Move it after the last breakpoint: other sessions and machines have another one.',
    pattern: joined(ENVIRONMENT),
    inExamples: 'skip',
    inTurns: false,
  },
]

function joined(patterns: readonly string[]): RegExp {
  return new RegExp(patterns.join('|'), 'giu')
}
