/**
 * The drawing of the rooms (docs/pictures/rooms.svg) is made from what the files of src import:
 * `UPDATE_ROOMS=1 npx vitest run --project unit test/unit/tidy-picture.test.ts` makes it anew;
 * otherwise it is compared.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { importsOf } from './tidy-text.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const picturePath = `${root}docs/pictures/rooms.svg`

/** Rows from the top to the bottom: in which column a room stands, and what it does. */
const rows: readonly Readonly<Record<string, readonly [number, string]>>[] = [
  { cli: [1, 'commands, terminal'], page: [2, 'the page, in browsers'] },
  { doors: [1, 'HTTP and others'] },
  { api: [1, 'push, startNode, ..'] },
  {
    sim: [0, 'virtual network'],
    agent: [1, 'a node: one process'],
    media: [2, 'films and sound'],
    documents: [3, 'YAML of masters'],
  },
  { session: [1, 'transfers, their driver'], engine: [2, 'moves bytes (C++)'] },
  { store: [0, 'what is on disk'], net: [1, 'links, TLS, keys'] },
  { protocol: [1, 'frames, greetings'] },
  { control: [1, 'all decisions; pure'] },
]
/** All may import these, so no arrow leads to them. */
const ground = ['ports', 'base']

type Edges = ReadonlyMap<string, ReadonlySet<string>>

function sourcesUnder(directory: string): string[] {
  return readdirSync(root + directory, { withFileTypes: true }).flatMap((entry) => {
    const path = `${directory}/${entry.name}`
    return entry.isDirectory() ? sourcesUnder(path) : /\.tsx?$/.test(path) ? [path] : []
  })
}

const roomOf = (path: string) => path.split('/')[1]?.replace(/\.\w+$/, '') ?? ''

function importedRooms(): Edges {
  const edges = new Map<string, Set<string>>()
  for (const path of sourcesUnder('src')) {
    const from = roomOf(path)
    const to = edges.get(from) ?? new Set()
    edges.set(from, to)
    for (const target of importsOf(readFileSync(root + path, 'utf8'))) {
      const file = join(dirname(path), target)
      if (target.startsWith('.') && file.startsWith('src/') && roomOf(file) !== from)
        to.add(roomOf(file))
    }
  }
  return edges
}

/** Without what another way over rooms in between says already. */
function reduced(edges: Edges): Edges {
  const reaches = (from: string, to: string): boolean =>
    [...(edges.get(from) ?? [])].some((next) => next === to || reaches(next, to))
  const isNeeded = (to: string, all: ReadonlySet<string>) =>
    ![...all].some((other) => other !== to && reaches(other, to))
  return new Map(
    [...edges].map(([from, all]) => [
      from,
      new Set([...all].filter((to) => !ground.includes(to) && isNeeded(to, all)).sort()),
    ]),
  )
}

const width = 760
const box = { width: 166, height: 44, apart: 84 }
const top = 16

function picture(edges: Edges): string {
  const places = new Map<string, { x: number; y: number; about: string }>()
  for (const [row, rooms] of rows.entries()) {
    for (const [name, [column, about]] of Object.entries(rooms)) {
      const x = (width * (2 * column + 1)) / 8
      places.set(name, { x, y: top + row * box.apart + box.height / 2, about })
    }
  }
  const height = top + rows.length * box.apart + box.height + 16
  const arrows = [...edges].sort().flatMap(([from, all]) =>
    [...all].map((to) => {
      const [a, b] = [places.get(from), places.get(to)]
      if (a === undefined || b === undefined) throw new Error(`no place for ${from} or ${to}`)
      const [y1, y2] = [a.y + box.height / 2, b.y - box.height / 2 - 2]
      const bend = Math.max(24, (y2 - y1) / 2)
      const way = `M${a.x} ${y1}C${a.x} ${y1 + bend} ${b.x} ${y2 - bend} ${b.x} ${y2}`
      return `<path class="e" d="${way}"><title>${from} imports ${to}</title></path>`
    }),
  )
  const boxes = [...places].map(([name, { x, y, about }]) => {
    const [left, upper] = [x - box.width / 2, y - box.height / 2]
    const size = `width="${box.width}" height="${box.height}"`
    return [
      `<rect class="n" x="${left}" y="${upper}" ${size}/>`,
      `<text class="l" x="${x}" y="${y - 3}">${name}/</text>`,
      `<text class="d" x="${x}" y="${y + 14}">${about}</text>`,
    ].join('')
  })
  const floor = height - box.height - 12
  const style = [
    'text{text-anchor:middle;font-family:system-ui,sans-serif}',
    '.l{font-size:15px;font-weight:600;fill:#212529}.d{font-size:12px;fill:#495057}',
    '.bg{fill:#fff}.n{rx:6px;fill:#f1f3f5;stroke:#868e96}',
    '.e{fill:none;stroke:#1864ab;stroke-width:1.5;marker-end:url(#a)}',
    '@media(prefers-color-scheme:dark){.bg{fill:#0d1117}.l{fill:#e6edf3}.d{fill:#9aa4ae}',
    '.n{fill:#161b22;stroke:#8b949e}.e{stroke:#58a6ff}}',
  ].join('')
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">`,
    '<title>The rooms of src, and what each imports</title>',
    `<style>${style}</style>`,
    '<defs><marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"',
    ' orient="auto"><path d="M0 0 10 5 0 10z" fill="#1864ab"/></marker></defs>',
    `<rect class="bg" width="${width}" height="${height}" rx="8"/>`,
    ...arrows,
    ...boxes,
    `<rect class="n" x="24" y="${floor}" width="${width - 48}" height="${box.height}"/>`,
    `<text class="l" x="${width / 2}" y="${floor + 19}">ports, base/</text>`,
    `<text class="d" x="${width / 2}" y="${floor + 36}">`,
    'interfaces, errors, limits: all of them import these</text>',
    '</svg>',
  ].join('\n')}\n`
}

describe('the drawing of the rooms', () => {
  it('is as the imports are (else: UPDATE_ROOMS=1, see the head of this file)', () => {
    const drawn = picture(reduced(importedRooms()))
    if (process.env['UPDATE_ROOMS'] === '1') writeFileSync(picturePath, drawn)
    expect(readFileSync(picturePath, 'utf8')).toBe(drawn)
  })

  it('leaves out what another way says', () => {
    const edges = new Map([
      ['a', new Set(['b', 'c', 'base'])],
      ['b', new Set(['c'])],
      ['c', new Set<string>()],
    ])
    expect([...(reduced(edges).get('a') ?? [])]).toEqual(['b'])
  })
})
