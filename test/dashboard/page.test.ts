import { describe, expect, it } from 'vitest'
import { html, inline, scripts as blocks } from './page-text.ts'

const NAMESPACE = /http:\/\/www\.w3\.org\/2000\/svg/g
const scripts = blocks.join('')
const markup = html.replaceAll(/<(script|style)\b[^>]*>[\s\S]*?<\/\1>/g, '')
const attribute = (tag: string, name: string): string | undefined => new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]
const ids = Array.from(markup.matchAll(/\sid="([^"]*)"/g), (match) => match[1] ?? '')

describe('the page stands alone', () => {
  it('names no other host', () => {
    const rest = html.replaceAll(NAMESPACE, '')
    expect(rest).not.toMatch(/\b(?:https?|wss?):\/\//i)
    expect(rest).not.toMatch(/(?:src|href|action)\s*=\s*["']\/\//i)
    expect(rest).not.toMatch(/@import|url\(/i)
  })

  it('has no sink that would turn a name into markup or code', () => {
    expect(scripts).not.toMatch(
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|createContextualFragment|srcdoc|setHTML/,
    )
    expect(scripts).not.toMatch(/setTimeout\(\s*['"`]|setInterval\(\s*['"`]/)
  })

  it('has no inline handler or style attribute, which its policy would refuse', () => {
    expect(markup).not.toMatch(/\son[a-z]+\s*=/i)
    expect(markup).not.toMatch(/\sstyle\s*=/i)
    expect(scripts).not.toMatch(/setAttribute\(\s*['"](?:style|on)/)
  })

  it('prints nothing to the console and keeps the key out of addresses and lasting storage', () => {
    expect(scripts).not.toMatch(/console\.|localStorage|document\.cookie|indexedDB|\balert\(/)
    expect(scripts).not.toMatch(/[?&]key=/)
  })
})

describe('the table of prefixes', () => {
  it('has its columns only where the window has room for them, and a scrollbar', () => {
    const columns = /--columns: ([^;]+);/.exec(html)?.[1] ?? ''
    const widths = Array.from(columns.matchAll(/minmax\((\d+)px|(\d+)px/g), ([, least, fixed]) =>
      Number(least ?? fixed),
    )
    expect(widths).toHaveLength(9)
    const gaps = (widths.length - 1) * 16
    // Paddings of the row and of the page, the borders of the sheet, and a scrollbar.
    const needed = widths.reduce((sum, width) => sum + width, 0) + gaps + 2 * 16 + 2 * 20 + 2 + 17
    const narrow = /@media \(max-width: (\d+)px\) \{\s*\.unit/.exec(html)?.[1]
    expect(Number(narrow)).toBeGreaterThanOrEqual(needed)
  })
})

describe('the page can be used without seeing it or without a mouse', () => {
  const label = (tag: string, inner: string): boolean => {
    const id = attribute(tag, 'id')
    const named = inner.replaceAll(/<[^>]*>/g, '').trim() !== '' || (attribute(tag, 'aria-label') ?? '') !== ''
    return named || (id !== undefined && markup.includes(`<label for="${id}"`))
  }

  it('names every control', () => {
    const controls = Array.from(markup.matchAll(/<(button|input|select|textarea|a)\b[^>]*>(?:([^]*?)<\/\1>)?/g))
    expect(controls.length).toBeGreaterThanOrEqual(5)
    const nameless = controls.filter(([whole, name, inner = '']) => {
      const tag = /^<[^>]*>/.exec(whole)?.[0] ?? ''
      return !label(tag, name === 'input' ? '' : inner)
    })
    expect(nameless).toEqual([])
  })

  it('says of every button what kind it is', () => {
    for (const [tag] of markup.matchAll(/<button\b[^>]*>/g))
      expect(attribute(tag, 'type')).toMatch(/^(?:button|submit)$/)
  })

  it('hides the key while it is typed', () => {
    const input = /<input\b[^>]*>/.exec(markup)?.[0] ?? ''
    expect(attribute(input, 'type')).toBe('password')
  })

  it('has each id once, and points only at ids that exist', () => {
    expect(new Set(ids).size).toBe(ids.length)
    for (const [, list = ''] of markup.matchAll(/\s(?:aria-labelledby|aria-describedby|for)="([^"]*)"/g))
      for (const id of list.split(' ')) expect(ids).toContain(id)
    for (const [, id] of html.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(id)
    for (const [, id] of scripts.matchAll(/\$\('([^']+)'\)/g)) expect(ids).toContain(id)
  })

  it('has a language, landmarks, one first heading, a skip link and a place for news', () => {
    expect(html).toMatch(/<html lang="en">/)
    for (const tag of ['header', 'main', 'footer', 'h1'])
      expect(markup.match(new RegExp(`<${tag}\\b`, 'g'))).toHaveLength(1)
    expect(markup).toMatch(/<a class="skip" href="#main"/)
    expect(markup).toMatch(/aria-live="polite"/)
  })

  it('gives every state its own shape beside its colour', () => {
    for (const state of ['warm', 'expiring', 'cold', 'uncacheable', 'unknown']) {
      expect(ids).toContain(`i-${state}`)
      expect(inline('style')).toContain(`.is-${state}`)
    }
  })
})

describe('the page can be read in the light and in the dark', () => {
  const palettes = Array.from(inline('style').matchAll(/:root\s*\{([^}]*)\}/g), ([, body = '']) =>
    Object.fromEntries(
      Array.from(body.matchAll(/--([a-z-]+):\s*(#[0-9a-f]{3,6})/g), ([, name = '', hex = '']) => [name, hex]),
    ),
  )
  const luminance = (hex: string): number => {
    const full = hex.length === 4 ? hex.slice(1).replaceAll(/./g, '$&$&') : hex.slice(1)
    const [r = 0, g = 0, b = 0] = [0, 2, 4].map((i) => {
      const c = Number.parseInt(full.slice(i, i + 2), 16) / 255
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const contrast = (a: string, b: string): number => {
    const [low = 0, high = 0] = [luminance(a), luminance(b)].toSorted((x, y) => x - y)
    return (high + 0.05) / (low + 0.05)
  }

  it('has both palettes', () => {
    expect(palettes).toHaveLength(2)
  })

  it.each([0, 1])('keeps every text at 4.5 to 1 or better (palette %i)', (n) => {
    const palette = palettes[n] ?? {}
    const pairs = ['ink', 'soft', 'hot', 'amber', 'cool', 'mute'].flatMap((ink) =>
      ['paper', 'sheet'].map((paper) => [ink, paper]),
    )
    const weak = pairs.filter(
      ([ink = '', paper = '']) => contrast(palette[ink] ?? '#fff', palette[paper] ?? '#fff') < 4.5,
    )
    expect(weak).toEqual([])
    expect(contrast(palette['alarm-ink'] ?? '#fff', palette['alarm-paper'] ?? '#fff')).toBeGreaterThanOrEqual(4.5)
  })

  it('is still when motion is not wanted', () => {
    const still = inline('style').replaceAll(
      /@media \(prefers-reduced-motion: no-preference\) \{(?:[^{}]*\{[^}]*\})*\s*\}/g,
      '',
    )
    expect(still).not.toMatch(/transition|animation/)
  })
})
