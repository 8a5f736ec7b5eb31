/** What the programs share: a long text that all requests of one begin with, and a tool. */

/** Some five thousand tokens, of its own for each client. */
export function guide(name) {
  return `Guide of ${name}. ${'The clerk looks a page up before answering a question about the mill. '.repeat(290)}`.trim()
}

export const TOOL = { name: 'look_up', description: 'Returns a page of the guide.' }

export const PARAMETERS = { type: 'object', properties: { page: { type: 'integer' } }, required: ['page'] }

export const lookUp = ({ page }) => `Page ${page}: the mill was built in 1742.`
