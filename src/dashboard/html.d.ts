/** A text module: the bundler inlines the file as a string (the Text rule in wrangler.toml). */
declare module '*.html' {
  const text: string
  export default text
}
