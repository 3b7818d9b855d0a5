/**
 * `npm run pictures`: makes docs/pictures/push.svg, a terminal during a real push.
 *
 * The push is recorded: its plan, its progress about the middle, its result are kept in push.json
 * beside the picture, and the picture is drawn from these by the code that draws on a terminal. So
 * `npm run pictures -- --draw` makes it anew from the same push, and a test
 * (test/e2e/docs-pictures.test.ts) tells when what `fr push` prints no longer looks like it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { closingLines } from '../dist/cli/render/closing.js'
import { liveLines, openingLines } from '../dist/cli/render/push.js'
import { displayWidth, painter } from '../dist/cli/render/text.js'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const recordPath = path.join(root, 'docs/pictures/push.json')
const picturePath = path.join(root, 'docs/pictures/push.svg')

const size = { columns: 110, rows: 24 }
const cell = { width: 8.1, height: 18 }
const margin = { x: 16, top: 42, bottom: 14 }
const colours = {
  1: 'font-weight="bold"',
  2: 'opacity="0.6"',
  31: 'fill="#ff7b72"',
  32: 'fill="#7ee787"',
  33: 'fill="#e3b341"',
}

const escaped = (text) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** Spaces that SVG does not join to one. */
const spaced = (text) => text.replaceAll(' ', '\u00a0')

/** A line with its colours as parts of an SVG text, each where its first column is. */
function lineParts(line) {
  const parts = []
  let style = ''
  let column = 0
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what sets colours
  for (const [, code, text] of line.matchAll(/\u001b\[(\d+)m|([^\u001b]+)/gu)) {
    if (code !== undefined) style = colours[code] === undefined ? '' : ` ${colours[code]}`
    if (text === undefined) continue
    if (text.trim() !== '') {
      const x = (margin.x + column * cell.width).toFixed(1)
      const width = (displayWidth(text) * cell.width).toFixed(1)
      parts.push(`<tspan x="${x}" textLength="${width}"${style}>${spaced(escaped(text))}</tspan>`)
    }
    column += displayWidth(text)
  }
  return parts.join('')
}

/** What a terminal shows of the recorded push: the display of the middle, and the end. */
export function screenLines({ command, name, plan, progress, result }) {
  const paint = painter(true)
  return [
    `${paint('green', '$')} ${command}`,
    ...openingLines(plan, name),
    ...liveLines(progress, name, size, paint),
    paint('dim', '...'),
    ...closingLines(result, [], size.columns, paint),
  ]
}

/** The picture of a recorded push. */
export function pictureOf(record) {
  const lines = screenLines(record)
  const width = Math.ceil(2 * margin.x + size.columns * cell.width)
  const height = margin.top + lines.length * cell.height + margin.bottom
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
    (fill, at) => `<circle cx="${20 + at * 18}" cy="18" r="5.5" fill="${fill}"/>`,
  )
  const texts = lines.map((line, at) => {
    const y = margin.top + (at + 0.75) * cell.height
    return `<text y="${y}">${lineParts(line)}</text>`
  })
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(record.command)}</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>`,
    ...dots,
    '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13.5"',
    'fill="#e6edf3">',
    ...texts,
    '</g>',
    '</svg>',
  ].join('\n')}\n`
}

/** Runs five nodes, one of them slow, and pushes to them at rates that can be looked at. */
async function recorded() {
  const { MIB, Workspace } = await import('../bench/workspace.mjs')
  const bytes = 96 * MIB
  const workspace = new Workspace(8 * bytes, 'any', { name: 'fr-pictures' })
  try {
    const source = await workspace.randomFile('model.bin', bytes)
    const places = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5', '127.0.0.6']
    const nodes = places.map((host, at) => {
      const rate = at === 4 ? '8Mbit' : '80Mbit'
      const data = workspace.makeDirectory(host)
      const limits = ['--limit-up', rate, '--limit-down', '160Mbit']
      const node = workspace.fr(['node', '--listen', host, '--data', data, ...limits, '--json'])
      return { host, node }
    })
    for (const { node } of nodes) await node.until('listening line', () => node.lines.length > 0)
    const to = ['--to', places.join(), '--limit-up', '80Mbit']
    const push = workspace.fr(['push', source, ...to, '--json'])
    if ((await push.ended) !== 0) throw new Error(push.stderr)
    const events = (event) => push.lines.filter((line) => line.event === event)
    const progress = events('progress').find(({ share }) => share > 0.4)
    const command = `fr push model.bin ${to.join(' ')}`
    const [plan] = events('plan')
    const [result] = events('result')
    return { command, name: 'model.bin', plan, progress, result }
  } finally {
    await workspace.close()
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (!process.argv.includes('--draw'))
    writeFileSync(recordPath, `${JSON.stringify(await recorded(), null, 1)}\n`)
  writeFileSync(picturePath, pictureOf(JSON.parse(readFileSync(recordPath, 'utf8'))))
}
