/** The page's text: the bundler inlines the file as a string (the Text rule in wrangler.toml). */
declare const html: string
export default html
