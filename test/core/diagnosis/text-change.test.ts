import { describe, expect, it } from 'vitest'
import { textChange } from '../../../src/core/diagnosis/text-change.ts'

const rules = 'Be short and exact. Name prices in euros.\n'.repeat(40)
const kind = (before: string, after: string, where: 'system' | 'tools' | 'turns' = 'system') =>
  textChange('system', `${rules}${before}\n${rules}`, `${rules}${after}\n${rules}`, where).verdict

describe('a line that changed', () => {
  it.each([
    ['Time: 23:59:58', 'Time: 00:00:02', 'clock_in_prefix'],
    ['{"now": 1796035267123}', '{"now": 1796035301999}', 'clock_in_prefix'],
    ['It is Monday, 30 November 2026, 9:12 pm.', 'It is Monday, 30 November 2026, 9:31 pm.', 'clock_in_prefix'],
    ['Written on 2026/11/30', 'Written on 2026/12/01', 'date_rolled'],
    ['Today is Sunday.', 'Today is Monday.', 'date_rolled'],
    ['trace 4bf92f3577b34da6a3ce929d0e0e4736', 'trace 00f067aa0ba902b74bf92f3577b34da6', 'id_in_prefix'],
    ['Customer number: 4711', 'Customer number: 9120', 'id_in_prefix'],
    ['Current branch: main', 'Current branch: fix/prices', 'environment_in_prefix'],
    ['cwd: /srv/app', 'cwd: /srv/app/web', 'environment_in_prefix'],
    ['Context used: 41 %', 'Context used: 47 %', 'environment_in_prefix'],
    ['Refunds within 30 days.', 'Refunds within 14 days.', 'text_changed'],
    ['Version 3.1 of the rules', 'Version 3.2 of the rules', 'text_changed'],
    ['Answer the user in 3 sentences.', 'Answer the user in 5 sentences.', 'text_changed'],
    ['Open from Monday to Friday.', 'Open from Monday to Saturday.', 'text_changed'],
    ['These terms hold since 2024-01-01.', 'These terms hold since 2024-06-01.', 'text_changed'],
    ['Support hours: 8 am to 6 pm', 'Support hours: 9 am to 6 pm', 'text_changed'],
    ['The shipping cost is 5 euros.', 'The shipping cost is 7 euros.', 'text_changed'],
    ['Notes: the tent is red.', 'Notes: the tent is blue.', 'text_changed'],
    ['Current time: 10:41 PM', 'Current time: 10:55 PM', 'clock_in_prefix'],
    ['"timestamp": "2026-11-30T10:41:07.123Z"', '"timestamp": "2026-11-30T10:41:09.456Z"', 'clock_in_prefix'],
    ['Heute ist Montag, der 30. November 2026.', 'Heute ist Dienstag, der 1. Dezember 2026.', 'date_rolled'],
    ['user_id: u_88123', 'user_id: u_99231', 'id_in_prefix'],
    ['The customer is called Anna.', 'The customer is called Ben.', 'text_changed'],
    ['Commit early, and name the branch.', 'Commit often, and name the branch.', 'text_changed'],
  ])('from "%s" to "%s" is %s', (before, after, verdict) => {
    expect(kind(before, after)).toBe(verdict)
  })

  it('is no sure edit where it may be a clock or an opening hour', () => {
    const { verdict, confidence } = textChange('system', `${rules}Open at 9:00.`, `${rules}Open at 8:00.`, 'system')
    expect(verdict).toBe('text_changed')
    expect(confidence).toBeLessThan(0.7)
  })

  it('is an edit of the history in a turn, and of the schema in a tool', () => {
    expect(kind('The tent is red.', 'The tent is blue.', 'turns')).toBe('history_rewritten')
    expect(kind('Finds a tent.', 'Finds a stove.', 'tools')).toBe('tool_schema_changed')
  })

  it('shows both values and their place, without the rest of the prompt', () => {
    const { first } = textChange('system[1].text', `${rules}Time: 10:41:07`, `${rules}Time: 10:42:07`, 'system')
    expect(first).toMatchObject({ path: 'system[1].text', at: rules.length + 'Time: 10:4'.length })
    expect(first.registered).toContain('41:07')
    expect(first.sent).toContain('42:07')
    expect(first.sent.length).toBeLessThanOrEqual(40)
  })
})
