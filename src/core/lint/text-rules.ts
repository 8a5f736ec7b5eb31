import { CHANGING_LINES } from './changing-lines.ts'
import { isAddress, isCode, isExample, lineBefore } from './context.ts'
import type { Context } from './context.ts'
import { isIban, isPaymentCard } from './check-digits.ts'
import { ID, SKIPPED, VALUE } from './rule.ts'
import type { TextRule } from './rule.ts'
import { TIME_RULES } from './time-rules.ts'

/** All rules, in order of precedence: a later rule does not report text that an earlier one reported. */
export const TEXT_RULES: readonly TextRule[] = [
  {
    cause: 'secret',
    kind: 'private',
    what: 'a secret',
    fix: 'Remove it and revoke it: a prefix is stored, and everyone who reads the prompt has the secret.',
    pattern:
      /\b(?:sk-(?:ant-|proj-|or-v1-|svcacct-)[\w-]{16,}|sk-[A-Za-z0-9]{32,}|[rs]k_live_[A-Za-z0-9]{16,}|A[KS]IA[0-9A-Z]{16}|gh[opsur]_[A-Za-z0-9]{30,}|github_pat_\w{40,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}|AIza[\w-]{35}|ya29\.[\w-]{20,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|[a-z]{2,4}[-_](?=[A-Za-z]*\d)[A-Za-z0-9]{40,}|SG\.[\w-]{20,}\.[\w-]{20,}|eyJ[\w-]{10,1000}\.eyJ[\w-]{10,8000}\.[\w-]{10,2000})|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----|\b[a-z][a-z\d+]{1,20}:\/\/[^\s:/@]{1,100}:[^\s:/@]{3,200}@[^\s]|\b(?:bearer|authorization: basic)\s+(?=[\w.~+/-]{0,2000}\d)[\w.~+/-]{20,}|\b(?:password|passwort|passwd|secret|api[-_ ]?key|access[-_ ]?token)["'`]?\s*[:=]\s*["'`]?(?=[^\s"'`]{0,200}\d)(?=[^\s"'`]{0,200}[A-Za-z])[^\s"'`<>{}()[\],;]{8,}/gi,
    confirm: ([found]) => !/example|placeholder|your[-_]|xxxx|\*\*\*|<|\.\.\.|0000000|1234567890?abc/i.test(found),
    inExamples: 'report',
    inTurns: true,
  },
  {
    cause: 'session_id',
    kind: 'volatile',
    what: 'the id of a session or a trace',
    fix: 'Send it outside the prompt (metadata, a header), or after the last breakpoint.',
    pattern: new RegExp(
      `\\b(?:session|trace|span|thread|chat|conversation|dialog(?:ue)?)[-_ ]?id(?:entifier)?${VALUE}${ID}|\\b00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]\\b|\\bsess_[A-Za-z0-9]{8,}|\\bses_(?=[A-Za-z]*\\d)[A-Za-z0-9]{8,}`,
      'gi',
    ),
    ...SKIPPED,
  },
  {
    cause: 'request_id',
    kind: 'volatile',
    what: 'the id of a request',
    fix: 'Send it outside the prompt (metadata, a header), or after the last breakpoint.',
    pattern: new RegExp(
      `\\b(?:request|correlation|call|invocation|message|msg|event|job|run|task)[-_ ]?id(?:entifier)?${VALUE}${ID}|\\breq_[A-Za-z0-9]{8,}`,
      'gi',
    ),
    ...SKIPPED,
  },
  {
    cause: 'user_id',
    kind: 'volatile',
    what: 'the id of one user',
    fix: 'Move it after the last breakpoint. Before it, each user has a separate prefix.',
    pattern: new RegExp(
      `\\b(?:user|customer|account|client|member|visitor|device|order|ticket)[-_ ]?(?:id(?:entifier)?|number|no\\.?)${VALUE}${ID}`,
      'gi',
    ),
    ...SKIPPED,
  },
  {
    cause: 'uuid',
    kind: 'volatile',
    what: 'a UUID',
    fix: 'Remove it, or move it after the last breakpoint. Put an id that never changes in backticks.',
    pattern: /\b(?!0{8}-)[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b/gi,
    inExamples: 'skip',
    inTurns: false,
  },
  ...TIME_RULES,
  ...CHANGING_LINES,
  {
    cause: 'memory_address',
    kind: 'volatile',
    what: 'an object printed with its memory address',
    fix: 'Print the fields that the prompt needs. The address differs in each process.',
    pattern: /\bobject at 0x[0-9a-f]{6,16}\b|<(?:function|bound method|generator) [^<>\n]{1,80} at 0x[0-9a-f]{6,16}>/gi,
    inExamples: 'skip code',
    inTurns: true,
  },
  {
    cause: 'signed_url',
    kind: 'volatile',
    what: 'a signed URL, which expires',
    fix: 'Use a permanent URL, or the content itself.',
    pattern:
      /[?&](?:X-Amz-Signature|X-Goog-Signature|Signature|sig|hdnea)=[^\s&"'<>]{16,}|[?&](?:Expires|exp)=1[5-9]\d{8}\b/gi,
    inExamples: 'skip code',
    inTurns: true,
  },
  {
    cause: 'iban',
    kind: 'private',
    what: 'an account number (IBAN)',
    fix: 'Remove it, or move it after the last breakpoint, where it is not stored.',
    pattern: /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b/g,
    confirm: ([found]) => isIban(found),
    inExamples: 'report',
    inTurns: true,
  },
  {
    cause: 'payment_card',
    kind: 'private',
    what: 'a payment card number',
    fix: 'Remove it, or move it after the last breakpoint, where it is not stored.',
    pattern: /(?<![\d.-])[2-6]\d{3}(?:[ -]?\d{2,6}){2,4}(?![\d.-])/g,
    confirm: ([found]) => isPaymentCard(found),
    inExamples: 'report',
    inTurns: true,
  },
  {
    cause: 'email',
    kind: 'private',
    what: "a person's e-mail address",
    fix: 'Remove it, or move it after the last breakpoint. Addresses of a team (support@…) and of example.com are not reported.',
    pattern: /(?<![\w.+-])[\w.+-]{1,64}@(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.){1,4}[a-z]{2,24}\b/gi,
    confirm: ([found]) => !isSharedAddress(found),
    inExamples: 'skip',
    inTurns: true,
  },
  {
    cause: 'phone',
    kind: 'private',
    what: "a person's telephone number",
    fix: 'Remove it, or move it after the last breakpoint. Numbers of a hotline or an office are not reported.',
    pattern: /(?<![\w+.-])(?:\+[1-9]\d{0,2}[ .-]?\(?\d{1,4}\)?(?:[ .-]?\d{2,4}){2,4}|\(\d{3}\) ?\d{3}-\d{4})(?![\w-])/g,
    confirm: (found, text) => isPersonalPhone(found, text),
    inExamples: 'skip',
    inTurns: true,
  },
  {
    cause: 'unrendered_template',
    kind: 'mistake',
    what: 'a template that was not rendered',
    fix: 'Render it before sending (in the neutral form: vars). If the braces are intended, put them in backticks.',
    pattern:
      /\{\{-?\s*[A-Za-z_][\w.[\]'" |:]{0,80}-?\}\}|\{%-?\s*[a-z]+\b[^%\n]{0,120}%\}|<%=?\s*[A-Za-z_][^%\n]{0,80}%>|\$\{[A-Za-z_][\w.]{0,60}\}|%\([A-Za-z_]\w{0,40}\)[sd]/g,
    ...SKIPPED,
  },
  {
    cause: 'broken_rendering',
    kind: 'mistake',
    what: 'an object that was printed without conversion to text',
    fix: 'Print the fields that the prompt needs, in a fixed order.',
    pattern: /\[object (?:Object|Promise|Map|Set)\]|<coroutine object \w/g,
    inExamples: 'skip code',
    inTurns: true,
  },
]

/** Whether an address belongs to a team, or to a domain reserved for examples (RFC 2606). */
function isSharedAddress(address: string): boolean {
  const [box = '', domain = ''] = address.toLowerCase().split('@')
  if (
    /(?:^|\.)(?:example(?:\.[a-z]+)?|test|invalid|localhost|local|acme\.com|domain\.com|company\.com|email\.com)$/.test(
      domain,
    )
  )
    return true
  return /^(?:support|info|help|helpdesk|sales|hello|hi|contact|kontakt|contacto|contatti|office|team|press|presse|privacy|datenschutz|legal|security|abuse|jobs|careers|billing|accounts?|accounting|orders?|bookings?|reservations?|reservas?|reservierung(?:en)?|buchung(?:en)?|prenotazioni|pedidos|ventas|vendas|ordini|bestellungen?|returns?|refunds?|feedback|service|kundenservice|customerservice|customer[.-]?care|soporte|suporte|ayuda|aide|admin|administration|it|hr|dpo|no-?reply|newsletter|notifications?|git|webmaster|postmaster)(?:[+.-][\w.+-]*)?$/.test(
    box,
  )
}

/** Whether a telephone number is a person's. Toll-free numbers, fictional ones (555-01xx) and those of an office are not. */
function isPersonalPhone({ 0: found, index }: RegExpExecArray, text: string): boolean {
  const digits = found.replace(/\D/g, '')
  if (digits.length < 10 || digits.length > 15) return false
  if (/^\+?1?8(?:00|33|44|55|66|77|88)/.test(digits) || /^(?:49|44|33|34|39|31|41|43)(?:0?800|8000?)/.test(digits))
    return false
  if (/55501\d\d$/.test(digits)) return false
  return !/hotline|help ?line|support|call (?:us|center|centre)|contact|customer|service|office|reception|emergency|headquarters|switchboard|main line|tel\b|telefon|téléphone|teléfono|zentrale|notruf/i.test(
    lineBefore(text, index),
  )
}

/** Whether a rule skips a match at `at`. */
export function isExempt(rule: TextRule, text: string, context: Context, at: number): boolean {
  if (rule.inExamples === 'report') return false
  if (rule.inExamples === 'skip code') return isCode(context.code, at)
  return isExample(text, context, at) || (rule.cause === 'uuid' && isAddress(text, at))
}
