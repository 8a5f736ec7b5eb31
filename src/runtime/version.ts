/** Version in answers, metrics and documents. A test compares it with package.json. */
export const VERSION = '0.1.0'
