import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import { describe, expect, it } from 'vitest'
import { estimateTokens } from '../../../src/core/prompt/tokens.ts'

const root = resolve(import.meta.dirname, '../../..')
const file = (path: string): string => readFileSync(resolve(root, path), 'utf8')

/** `error`: allowed error of the estimate, as a share of the vocabulary's count. */
const texts: { what: string; text: string; error: number }[] = [
  { what: 'English', text: file('LICENSE'), error: 0.1 },
  { what: 'a document in Markdown', text: file('docs/planner.md'), error: 0.15 },
  { what: 'TypeScript', text: file('src/core/planning/timing.ts'), error: 0.15 },
  { what: 'JSON', text: JSON.stringify(JSON.parse(file('package.json')), null, 2), error: 0.15 },
  {
    what: 'Chinese',
    text: '今天下午三点我们在会议室讨论新产品的发布计划。请大家提前准备好各自负责的部分，并把相关的数据发给我。上个季度的销售情况比预期要好，但是客户对售后服务的反馈仍然需要改进。',
    error: 0.2,
  },
  {
    what: 'Japanese',
    text: '明日の会議は午後三時から始まります。資料は前日までに共有してください。先月のお客様アンケートの結果によると、新しいサービスに対する満足度は高いものの、サポートの対応時間については改善の余地があるようです。',
    error: 0.2,
  },
  {
    what: 'Korean',
    text: '내일 회의는 오후 세 시에 시작합니다. 자료는 전날까지 공유해 주세요. 지난달 고객 설문 조사 결과에 따르면 새로운 서비스에 대한 만족도는 높지만 지원 응답 시간은 개선할 필요가 있습니다.',
    error: 0.2,
  },
  {
    what: 'German',
    text: 'Die Besprechung beginnt morgen um fünfzehn Uhr. Bitte teilen Sie die Unterlagen spätestens am Vortag. Die Umfrageergebnisse des vergangenen Monats zeigen, dass die Zufriedenheit mit dem neuen Dienst hoch ist, während die Antwortzeiten der Unterstützungsabteilung verbesserungsfähig bleiben.',
    error: 0.2,
  },
  {
    what: 'Russian',
    text: 'Встреча начнётся завтра в три часа дня. Пожалуйста, пришлите материалы накануне. По результатам прошлого опроса клиенты довольны новым сервисом, однако время ответа службы поддержки нужно улучшить.',
    error: 0.25,
  },
  {
    what: 'Chinese with code and emoji in it',
    text: '请把 `src/core/planning/plan.ts` 里的 breakEvenProbes() 函数改成 async，然后跑一遍 `npm test`。OK 的话请发一个 PR 🙏，谢谢！下周二之前完成就好 👍。',
    error: 0.2,
  },
  {
    what: 'Arabic',
    text: 'يبدأ الاجتماع غدًا في الساعة الثالثة بعد الظهر. يرجى إرسال المواد قبل ذلك بيوم واحد. أظهر استطلاع الشهر الماضي أن العملاء راضون عن الخدمة الجديدة.',
    error: 0.2,
  },
  {
    what: 'the arguments of a tool call',
    text: JSON.stringify({
      city: 'Grindelwald',
      from: '2026-12-24T09:00:00Z',
      guests: [{ name: 'A. Meier', age: 34 }],
    }),
    error: 0.25,
  },
  {
    what: 'SQL',
    text: "SELECT o.id, o.total_cents, c.email FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.created_at >= '2026-11-01' AND o.status IN ('paid', 'shipped') ORDER BY o.created_at DESC LIMIT 50;",
    error: 0.15,
  },
  { what: 'emoji', text: '😀🎉👍 great job 🚀🔥 see you ❤️ 👩‍💻 👍🏽 🇩🇪 tomorrow 😂😂', error: 0.3 },
]

describe('a token estimate', async () => {
  // Text of a prompt that looks like a control token is text all the same.
  const count = (text: string): number => countTokens(text, { disallowedSpecial: new Set() })
  it.each(texts)('of $what is close to the vocabulary’s count', ({ text, error }) => {
    const counted = count(text)
    expect(counted).toBeGreaterThan(20)
    expect(Math.abs(estimateTokens(text) / counted - 1)).toBeLessThanOrEqual(error)
  })

  it('is closer than bytes ÷ 3.5 where that is off by more than 30 %', () => {
    const far = texts.filter(({ text }) => Math.abs(Buffer.byteLength(text) / 3.5 / count(text) - 1) > 0.3)
    expect(far.map(({ what }) => what)).toEqual(expect.arrayContaining(['Japanese', 'Korean', 'Russian', 'Arabic']))
    for (const { text } of far) {
      const counted = count(text)
      expect(Math.abs(estimateTokens(text) - counted)).toBeLessThan(
        Math.abs(Buffer.byteLength(text) / 3.5 - counted) / 1.5,
      )
    }
  })

  it('is 0 for an empty text, and copes with a long text without spaces', () => {
    expect(estimateTokens('')).toBe(0)
    expect(estimateTokens('!'.repeat(100_000))).toBeGreaterThan(1_000)
  })

  it('counts a control token in the text as plain text', () => {
    expect(count('<|endoftext|>')).toBeGreaterThan(1)
  })
})
