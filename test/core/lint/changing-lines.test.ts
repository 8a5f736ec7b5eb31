import { describe, expect, it } from 'vitest'
import { lint } from '../../../src/core/lint/lint.ts'

function found(text: string): string[] {
  const block = { at: '/system', part: 'system' as const, pieces: [{ at: '/system', text }], marker: null, run: null }
  const view = { blocks: [block], tools: [], estimatedTokens: 5_000, minimumTokens: null, maxMarkers: 4, lookback: 20 }
  return lint(view).map(({ cause, severity }) => `${severity} ${cause}`)
}

describe('a line that tells the day', () => {
  it.each([
    'currentDate: 2026-11-30',
    '<current_date>2026-11-30</current_date>',
    "Today's date: Mon Nov 30 2026",
    'todaysDate=2026-11-30',
    '"current-date": "2026-11-30"',
    '<today>2026-11-30</today>',
    '<now>2026-11-30</now>',
    'now: 2026-11-30',
    'Today is Mon, 30 Nov 2026.',
    'The current date is Mon Nov 30 2026',
    "It's Monday, November 30, 2026.",
    'It is currently 30 November 2026.',
    'Current year: 2026',
    'Current month: November 2026',
    'current day of the week: Monday',
    'Current Date (YYYY-MM-DD): 2026-11-30',
    'system_date = 2026/11/30',
    'Date: Monday, November 30, 2026',
    '<date>2026-11-30</date>',
    'It is Monday.',
    'The date is 2026-11-30.',
    'date=2026-11-30',
    'Today: Nov 30',
    'Today is Monday, 30 November.',
    '<today>November 30th</today>',
    '## Current Date\n2026-11-30',
    "### Today's date\n\nMonday, November 30, 2026",
  ])('is a warning: %s', (text) => {
    expect(found(`${text}\n\nYou help.`)).toEqual(['warning date'])
  })

  it.each([
    '<release_date>2026-11-30</release_date>',
    'API version 2023-06-01 is current.',
    '# Dates\n2026-11-30 is a holiday.',
    '## Release 4\n2026-11-30: first version.',
    'Knowledge cutoff: 2025-06',
    'e.g. current date: YYYY-MM-DD',
    'The product of 2019-04-02 was replaced.',
    'In 2026 the rules for parcels changed.',
    'It is 12 May 1944, and you are a sailor.',
    'Prices as of 2026-01-01: tent 89.90, stove 41.00, mat 25.50.',
    'Version 4.8.20261 fixes this; v2.1.117 did not.',
    'The current date format is day, month, year.',
    'Ask for the current year of study: 1, 2 or 3.',
    'Use the model of 2026-11-30 or later.',
    'The date is 12 May 1944, and you are a sailor.',
    'If it is Monday, ask for the weekly plan.',
    'If today is Dec 25, wish a merry day.',
    'Today mayor 12 speaks, and today march 3 miles.',
    'The order of Nov 30 was sent today.',
    'Prices as of March 2026: tent 89.90.',
    'As of version 2026 the menu has five parts.',
    'As of January 2026 the fee is 4.90.',
    'Files lie in /archive/2026/11/30 and older folders.',
    '| Valid from | Tent | Stove |\n|---|---|---|\n| 2026-01-01 | 89.90 | 41.00 |',
  ])('is none where the date is a fact: %s', (text) => {
    expect(found(`${text}\n\nYou help.`)).toEqual([])
  })
})

describe('a line that tells the time', () => {
  it.each([
    'It is currently 3:42 PM in Berlin.',
    "It's now 15:42.",
    'It is 3 pm.',
    'The time is 15:42.',
    'The local time is now 3:42 PM.',
    'currentTime: 15:42',
    '<current_time>15:42</current_time>',
    'Rendered 11/30/2026, 3:42:11 PM',
    'Es ist 15:42 Uhr.',
    'Now it is 15:42.',
    'Time: 15:42:10',
    'now: 1796057100',
    'System time: 1796057100',
    '<timestamp>1796057100123</timestamp>',
    'Date.now(): 1796057100123',
    'Current time: 2026-11-30T15:42:10.123456+00:00',
    'Now: Mon Nov 30 2026 15:42:10 GMT+0100 (Central European Standard Time)',
    '# Current Time\n11/30/2026, 3:42:10 PM (Europe/Berlin, UTC+1:00)',
  ])('is a warning: %s', (text) => {
    expect(found(`${text}\n\nYou help.`)).toEqual(['warning timestamp'])
  })

  it.each([
    'The shop is currently closed until 18:00.',
    'It is currently open from 9:00 to 18:00.',
    'If it is 22:00 or later, say that the desk is closed.',
    'The check-in time is 15:00.',
    'Quiet hours begin at 10 pm.',
    'Matthew 3:16 is currently read.',
    'Time: 18:00',
    'System time: UTC',
    'The timestamp: 10 digits.',
    'Time zone: Europe/Berlin',
    'The ratio is 3:42 at best.',
  ])('is none where the time is a rule: %s', (text) => {
    expect(found(`${text}\n\nYou help.`)).toEqual([])
  })
})

describe('a line that counts', () => {
  it.each([
    'You are in iteration 7 of 25.',
    'You are on turn 3.',
    'Iteration: 7',
    'Turn 3/10',
    'attempt = 2 of 5',
    'iteration_count: 12',
    'Messages so far: 17',
    'Context window: 45,210 of 200,000 tokens used (22 %).',
    'Token usage: 45210/200000; 154790 remaining',
    'tokens_used: 45210',
    'Remaining context: 154790',
    'remaining_turns=4',
    'You have 12 messages left.',
    '22% of the context window used',
    'Uptime: 3h 12m',
    'You have used 3 of 20 tool calls.',
    'This is request 17.',
    'Round 7/25',
    'You are on step 7 of 25.',
    'Loop iteration #7',
    'Token budget: 45210/200000 used',
    'Used 45,210 of 200,000 tokens.',
    '18 turns remaining.',
    'Context left until auto-compact: 12%',
    'Tool calls made so far: 3',
    'Session cost: $0.42',
    'You have used 45,210 tokens so far.',
    'Loop 5:',
    'Loop 5: go on with the plan.',
    'Step 3 of 10.',
    'Current step: 3/10',
    'current_step: 3',
    '<turn>12</turn>',
    'Message #14 in this conversation',
    'Step 3 of 10',
    '<budget:token_budget>154790</budget:token_budget>',
  ])('is a warning: %s', (text) => {
    expect([...new Set(found(`${text}\n\nYou help.`))]).toEqual(['warning counter'])
  })

  it.each([
    'max_iterations: 25',
    'Use at most 25 iterations.',
    'Ask for the current step: 1, 2 or 3? No: read it.',
    'Rated 4 of 5 stars.',
    'Step 3 of 5: ask for the order.',
    'Keep answers under 2,000 tokens of 8,000.',
    'The context window has 200,000 tokens.',
    'Compact when 80% of the context window is used.',
    'If you have 3 messages left, say goodbye.',
    'On attempt 2 of 3, ask for the e-mail address.',
    'Token budget: 4000',
    'Retry limit: 3. Max turns: 10.',
    'Turn 90 degrees, then call 112.',
    '| tent | 89.90 |\n| stove | 41.00 |',
    'Chapter 7 of 25 tells of the mill.',
    'Step 1/3: find the order.',
    'Loop 1: read.\nLoop 2: write.',
    'Step 1 of 2.\nFind the order.\nStep 2 of 2.\nAnswer.',
    'Step 3 of 10 asks for the order.',
    'The loop 5: a road around the mill.',
    'When 18 turns remain, wind up.',
    'Total cost: $5. Shipping cost: $3.',
    'Use 1/2 of the tokens for thought.',
    'Once you have used 3 attempts, stop.',
    'HTTP/2 200, RFC 9110, ISO 8601, IPv6.',
  ])('is none where the number is a rule: %s', (text) => {
    expect(found(`${text}\n\nYou help.`)).toEqual([])
  })
})

describe('a line with a random value', () => {
  it.each([
    '[cache-bust 5d41402abc4b2a76]',
    '<nonce>a81bc81b</nonce>',
    'Cache buster 5d41402abc4b2a76',
    'salt: 9f86d081',
    '<!-- 5d41402abc4b2a76 -->',
    '[5d41402abc4b2a76b9719d911017c592]',
    'x-anthropic-billing-header: cc_version=2.1.117.48f; cc_entrypoint=cli; cch=71fea;',
    'x-acme-attribution-header: build=7; sig=0aaa9f',
    'X-Request-Signature: 71fea0aa9b',
    '# 5d41402abc4b2a76b9719d911017c592',
    'cache key: 5d41402abc4b2a76',
    'random=83729183',
    'Random: 0.8372918',
    'seed 83729183',
  ])('is a warning: %s', (text) => {
    expect(found(`${text}\n\nYou help.`)).toEqual(['warning random_seed'])
  })

  it.each([
    'Add a pinch of salt: 5 grams.',
    'Cache-busting query strings are not allowed.',
    'A nonce is a number used once.',
    'The colour [a1b2c3] is our blue.',
    'Fixed in commit 3f9a1c2d of 2024.',
    'Send the x-api-version header: 2023-06-01.',
    'x-request-timeout: 30',
    'random: true',
    'cache key: tenant and locale',
    'The figures were made with seed 20261121.',
    '#facade',
  ])('is none where it stays: %s', (text) => {
    expect(found(`${text}\n\nYou help.`)).toEqual([])
  })
})

describe('a line about the machine or the repository', () => {
  it.each([
    '<env>\nWorking directory: /home/user/code/mill-3\n</env>',
    'Primary working directory: /Users/anna/src/mill',
    'cwd: C:\\Users\\anna\\src',
    "I'm currently working in the directory: /home/anna/mill",
    "I'm currently working in the following directories:\n  - /home/anna/mill\n  - /home/anna/sails",
    '# Current Working Directory (/home/anna/mill) Files\nsrc/',
    'My operating system is: linux',
    'Status:\nM src/mill.ts\n?? notes.txt',
    'git status:\n?? notes.txt',
    'commit: 3f2a1bcd9e',
    'commit 3f2a1bcd9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b',
    '<cwd>/srv/agents/17</cwd>',
    'Workspace root: ~/code/mill',
    'You are running in /home/anna/mill.',
    'gitStatus: the state when this began\nCurrent branch: feature/mill-42\n\nStatus:\n M src/mill.ts',
    'On branch feature/mill-42',
    'Recent commits:\n3f9a1c2 Add the wheel',
    'HEAD: 3f9a1c2d',
    'hostname: mill-3.local',
    'pid=48213',
    'Current git branch: main',
    'Branch: feature/mill-42',
    'Current directory: /home/anna/mill',
    'You are in /home/anna/mill.',
    'HEAD is now at 3f9a1c2 Add the wheel',
    'Last 5 commits:\n3f9a1c2 Add the wheel',
    'Main branch (you will usually use this for PRs): main',
    'You are running on host ip-10-0-3-17.',
    'Running on pod mill-7f9c4-x2',
    '<env>\nPlatform: darwin\n</env>',
    'OS Version: Darwin 24.6.0',
    'OS: Linux 6.1.0-18-amd64',
    'Operating system: Windows 11 Pro 23H2',
    'Build 4711.',
    'Build: 4711',
    'Build number: 20261',
  ])('is a hint: %s', (text) => {
    expect([...new Set(found(`${text}\n\n${'You help.\n'.repeat(60)}`))]).toEqual(['hint environment'])
  })

  it.each([
    'Status:\nA order was sent.',
    'Status: open, paid or shipped.',
    'You work in the folder of the customer.',
    'The operating system is Linux or Windows.',
    'Commit defaced pages to the archive.',
    'commit: deadbeef or any other',
    'Use the current working directory (see below).',
    'Run git status before each commit.',
    'Name a branch feature/… after its ticket.',
    'Read from the working directory that the user names.',
    'Docs are at https://docs.test/home/user/guide.',
    'The path /etc/hosts is not yours to change.',
    'Write commits in the imperative: Add, Fix, Remove.',
    'Never show the hostname: it is private.',
    'Branch: take the left one at the mill.',
    'Directory: the list of all members.',
    'Main branch (of the bank): open from 9 to 5.',
    'Programs running on host names with a dash fail.',
    'Running on host memory of 64 GB is slow.',
    'Platform: darwin and linux',
    'Platform: Shopify',
    'OS version: Windows 10 or later',
    'OS: ask the customer.',
    'Build 3 of them.',
    'Build 1200 houses.',
    'Build 4711 was faulty.',
    'You are in /charge/ of the mill.',
  ])('is none where it says what to do: %s', (text) => {
    expect(found(`${text}\n\nYou help.`)).toEqual([])
  })
})

describe('a month that a text is written in', () => {
  it.each(['As of November 2026, the mill is open.', '- As of Nov 2026:', 'As of November 2026'])(
    'is a hint: %s',
    (text) => {
      expect(found(`${text}\n\nYou help.`)).toEqual(['hint date'])
    },
  )
})

describe('the digest of a request in brackets', () => {
  it.each(['[request 8f3a9c]', '[request 8f3a9c…]', '[trace #8f3a9c21-77aa]', '[req: 8f3a9c21]'])(
    'is a warning: %s',
    (text) => {
      expect([...new Set(found(`${text}\n\nYou help.`))]).toEqual(['warning request_id'])
    },
  )

  it.each(['[request body]', '[request decaf]', '[call 112112]', '[request 8f3a9c from below]'])(
    'is none where it is a name: %s',
    (text) => {
      expect(found(`${text}\n\nYou help.`)).toEqual([])
    },
  )
})
