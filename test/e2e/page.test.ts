/** The page of a door in Chromium: what it shows, what it begins, and what it never does. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMaster, generateKey, push } from '../../src/api/index.js'
import { httpToken } from '../../src/api/keys.js'
import { type Door, openDoor } from '../../src/doors/index.js'
import { sha256 } from './cli-world.js'
import { accessFaults, fleet, launch, openPage } from './page-support.js'
import { until, World, type WorldNode } from './push-support.js'

const world = new World('native')
const key = generateKey()
const token = httpToken(key)
const markup = '<img src=x onerror=alert(1)>'
const authorization = `Bearer ${token}`
let node: WorldNode
let door: Door
let origin: string
let browser: Browser

beforeAll(async () => {
  ;[browser, node] = await Promise.all([launch(), world.node({ key, name: markup })])
  door = await openDoor({ node }, { listen: '127.0.0.1:0', key, sources: [world.dir] })
  origin = `http://${door.address}`
  for (const text of ['first', 'second'])
    await push(Buffer.from(text), { to: [node.address], key, as: 'held.bin', keep: 1 }).result
})
afterAll(async () => {
  await browser.close()
  await door.close()
  await world.dispose()
})

const bytesOf = (length: number) => Uint8Array.from({ length }, (_, at) => at % 251)
const digestAt = (name: string) => sha256(readFileSync(join(node.dataDir, name)))

describe('the files of the page', () => {
  it('are for everybody, kept by browsers, and let nothing else in', async () => {
    const answer = await fetch(`${origin}/`)
    const html = await answer.text()
    const policy = answer.headers.get('content-security-policy')
    for (const said of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"])
      expect(policy).toContain(said)
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(html).toContain('data-behind="node"')
    const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path as string)
    expect(named).toHaveLength(3)
    for (const path of named) {
      expect(path).toMatch(/^\/page\/[a-z.]+\?v=[\w-]{22}$/)
      const file = await fetch(`${origin}${path}`)
      expect([file.status, file.headers.get('cache-control')]).toEqual([
        200,
        'public, max-age=31536000, immutable',
      ])
      const tag = file.headers.get('etag') as string
      const again = await fetch(`${origin}${path}`, { headers: { 'if-none-match': tag } })
      expect([again.status, await again.text()]).toEqual([304, ''])
      const other = await fetch(`${origin}${path.split('?')[0]}?v=other`, { method: 'HEAD' })
      expect([other.headers.get('cache-control'), await other.text()]).toEqual(['no-cache', ''])
    }
    for (const path of ['/page/', '/page/../index.js', '/page/%2e%2e/package.json', '/page/x.js'])
      expect((await fetch(`${origin}${path}`)).status).toBe(404)
    expect((await fetch(`${origin}/`, { method: 'POST' })).status).toBe(405)
  })
})

describe('in a browser', () => {
  it('shows a push from start to end, and a node that is killed', async () => {
    const [mate, child] = await Promise.all([
      world.node({ key }),
      world.childNode({}, undefined, { key }),
    ])
    const doors = await Promise.all(
      [mate, child].map(({ address }) => world.holding(address, 500_000)),
    )
    const [held, dying] = doors.map(({ address }) => address) as [string, string]
    const name = `${markup}.bin`
    const { path } = world.file('source', 8_000_000)
    const { page, faults } = await openPage(browser, { token })
    await page.goto(`${origin}/`)
    await page.getByRole('heading', { name: 'Transfers' }).waitFor()
    const begun = await fetch(`${origin}/api/v1/transfers`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ kind: 'push', path, as: name, to: [held, dying], rejoinMs: 0, retries: 0 },
        ...{ silenceMs: 6_000, uplinkBytesPerSecond: 1e9 },
      }),
    })
    expect(begun.status).toBe(201)
    const row = (address: string) => page.getByRole('row', { name: address })
    await page.getByRole('heading', { name }).waitFor()
    for (const address of [held, dying]) await row(address).getByText('receiving').waitFor()
    await page.getByRole('img', { name: 'Who sends to whom: 2 nodes, 0 complete' }).waitFor()
    child.kill('SIGKILL')
    for (const each of doors) each.open()
    await row(dying).getByText('failed', { exact: true }).waitFor()
    await row(dying)
      .getByText(/ERR_FR_/)
      .waitFor()
    await row(held).getByText('complete', { exact: true }).waitFor()
    await page.getByRole('region', { name }).getByText('partial').waitFor()
    expect(sha256(readFileSync(join(mate.dataDir, name)))).toBe(sha256(readFileSync(path)))
    expect(await page.locator('strong', { hasText: markup }).first().textContent()).toBe(markup)
    expect(await page.locator('img[src="x"]').count()).toBe(0)
    expect(faults).toEqual([])
    await page.context().close()
  })

  it('asks for a token, takes a file that is dropped, and goes on after a reload', async () => {
    const { page, faults } = await openPage(browser)
    const length = 9_000_000
    const drop = (name: string, bytes: number) =>
      page.evaluate(
        ([name, length]) => {
          const content = Uint8Array.from({ length }, (_, at) => at % 251)
          const dataTransfer = new DataTransfer()
          dataTransfer.items.add(new File([content], name, { lastModified: 1 }))
          const target = document.querySelector('.drop') as HTMLElement
          target.dispatchEvent(new DragEvent('drop', { bubbles: true, dataTransfer }))
        },
        [name, bytes] as const,
      )
    await page.goto(`${origin}/#/send`)
    await page.getByText('Drop files here').waitFor()
    await drop(`${markup} small`, 1000)
    await page.getByRole('button', { name: 'Send 1 file' }).click()
    await page.getByLabel('Token').fill(token)
    await page.getByRole('button', { name: 'Let me in' }).click()
    await page.getByRole('button', { name: 'Send 1 file' }).click()
    const item = (name: string) => page.getByRole('listitem').filter({ hasText: name })
    /** Its text, once it is over: so that a failure tells why. */
    const ended = async (name: string): Promise<string | null> => {
      await item(name)
        .getByText(/^(?:complete|failed)$/)
        .waitFor()
      return item(name).textContent()
    }
    // What it was before may be shown for another moment.
    await item('small').getByText('complete').waitFor()
    expect(digestAt(`${markup} small`)).toBe(sha256(Buffer.from(bytesOf(1000))))

    // The second part never leaves the page that is left.
    let isHolding = true
    await page.route('**/api/v1/uploads/*', async (route) => {
      const headers = route.request().headers()
      const isFirst = route.request().method() !== 'PATCH' || headers['upload-offset'] === '0'
      if (isFirst || !isHolding) await route.continue()
    })
    await drop('large.bin', length)
    await page.getByRole('button', { name: 'Send 1 file' }).click()
    await item('large.bin').getByText('93.2% sent').waitFor()
    isHolding = false
    await page.reload()
    await drop('large.bin', length)
    await page.getByRole('button', { name: 'Send 1 file' }).click()
    await item('large.bin').getByText('went on where it was').waitFor()
    expect(await ended('large.bin')).toContain('complete')
    expect(digestAt('large.bin')).toBe(sha256(Buffer.from(bytesOf(length))))

    await page.getByRole('link', { name: 'Holdings' }).click()
    await page.getByRole('rowheader', { name: `${markup} small` }).waitFor()
    await page.getByRole('searchbox').fill('large')
    await page.getByText('1 entry').waitFor()
    await page.getByRole('rowheader', { name: 'large.bin' }).waitFor()
    await page.getByRole('link', { name: 'Versions' }).click()
    await page.getByRole('button', { name: 'Roll back to it' }).click()
    await page.getByText(/^held\.bin is .* again\.$/).waitFor()
    expect(digestAt('held.bin')).toBe(sha256(Buffer.from('first')))
    expect(faults).toEqual([])
    await page.context().close()
  })

  it('has files of its machine looked through, and sends one', async () => {
    const name = `${markup}.txt`
    mkdirSync(join(world.dir, 'browsed/deep'), { recursive: true })
    writeFileSync(join(world.dir, 'browsed/deep', name), 'found')
    const { page, faults } = await openPage(browser, { token })
    await page.goto(`${origin}/#/send`)
    await page.getByLabel('Elsewhere on its machine').check()
    const files = page.getByRole('region', { name: 'Files of its machine' })
    for (const each of [world.dir, 'browsed', 'deep'])
      await files.getByRole('button', { name: `${each}/`, exact: true }).click()
    await files.getByRole('button', { name, exact: true }).click()
    const path = page.getByLabel(/^Path, below/)
    expect(await path.inputValue()).toBe(join(world.dir, 'browsed/deep', name))
    await files.getByRole('button', { name: 'Up' }).click()
    await files.getByRole('button', { name: 'deep/', exact: true }).waitFor()
    await page.getByLabel('Nodes', { exact: true }).fill(node.address)
    await page.getByRole('button', { name: 'Start' }).click()
    await page.getByRole('region', { name }).getByText('complete').first().waitFor()
    expect(digestAt(name)).toBe(sha256(Buffer.from('found')))
    expect(faults).toEqual([])
    await page.context().close()
  })

  it('does nothing for pages of others', async () => {
    const script = `<!doctype html><title>before</title><script>
      document.title = 'ran'
      const about = { method: 'POST', mode: 'no-cors', body: '{}' }
      fetch('${origin}/api/v1/transfers', about).then(() => { document.title = 'asked' })
    </script><iframe src="${origin}/"></iframe>`
    writeFileSync(join(world.dir, 'evil.html'), script)
    await push(join(world.dir, 'evil.html'), { to: [node.address], key }).result
    const { page } = await openPage(browser)
    // A file among those of the node is no page of the door.
    await page.goto(`${origin}/files/evil.html`)
    expect(await page.title()).toBe('before')

    const server = createServer((_, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end(script),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const answered = page.waitForResponse((one) => one.url().endsWith('/api/v1/transfers'))
    await page.goto(`http://127.0.0.1:${port}/`)
    expect((await answered).status()).toBe(403)
    await page.waitForFunction(() => document.title === 'asked')
    await until(() => page.frames()[1]?.url().startsWith('chrome-error:') === true, 'no frame')
    await page.context().close()
    server.closeAllConnections()
    server.close()
  })

  it('is for everybody: light, dark as soon as the system is, by keys', async () => {
    const { page } = await openPage(browser, { token, colorScheme: 'light', bypassCSP: true })
    const isIn = (wanted: 'light' | 'dark') => {
      const theme = () => page.evaluate(() => document.documentElement.dataset['theme'])
      return until(async () => (await theme()) === wanted, `the page is ${wanted}`)
    }
    const isThere = { state: 'attached' } as const
    for (const [path, name, ready] of [
      ['', 'Live', 'Rates of this node'],
      ['#/holdings', 'Holdings', 'held.bin'],
      ['#/versions', 'Versions', 'Roll back to it'],
      ['#/send', 'Send', 'Drop files here'],
    ] as const) {
      await page.goto(`${origin}/${path}`)
      await page.getByRole('heading', { level: 1, name }).waitFor(isThere)
      await page.getByText(ready).first().waitFor()
      await isIn('light')
      expect(await accessFaults(page)).toEqual([])
      await page.emulateMedia({ colorScheme: 'dark' })
      await isIn('dark')
      // All but colours is the same in the dark.
      expect(await accessFaults(page, ['color-contrast'])).toEqual([])
      await page.emulateMedia({ colorScheme: 'light' })
    }
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.goto(`${origin}/`)
    await isIn('dark')
    await page.getByRole('button', { name: 'Skip to what is shown' }).waitFor(isThere)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main')
    for (const other of ['light', 'dark'] as const) {
      const title = other === 'dark' ? 'Dark' : 'Light'
      await page.getByRole('button', { name: title, exact: true }).press('Enter')
      await isIn(other)
    }
    await page.context().close()
  })

  it('draws a thousand nodes with as few strokes as ten, and as few rows', async ({ annotate }) => {
    await using large = await fleet(door.address, 1000)
    const { page, faults } = await openPage(browser, { reducedMotion: 'no-preference' })
    await page.addInitScript(countStrokes)
    await page.addInitScript(countLongTasks)
    await page.goto(large.origin)
    await page.getByText('1,000 of 1,000 nodes').waitFor()
    const drawn = () => page.evaluate(() => (globalThis as unknown as Counted).drawings)
    for (let told = 0; told < 5; told++) {
      const before = (await drawn()).count
      large.tell()
      await until(async () => (await drawn()).count > before, 'it is drawn')
    }
    await until(async () => (await drawn()).most > 3, 'nodes and edges are drawn')
    expect((await drawn()).most).toBeLessThan(40)
    expect(await page.locator('table.nodes tbody tr').count()).toBe(50)
    await page.getByRole('button', { name: 'Next' }).press('Enter')
    await page.getByText('page 2 of 20').waitFor()
    await page.getByRole('searchbox').fill('10.0.3.231')
    await page.getByText('1 of 1,000 nodes').waitFor()
    // How many there are says more of the machine than of the page.
    const long = await page.evaluate(() => (globalThis as unknown as Counted).longTasks)
    await annotate(`long tasks, ms: ${long.map(Math.round).join(', ') || 'none'}`)
    expect(faults).toEqual([])
    await page.context().close()
  })
})

interface Counted {
  /** Of all canvases: drawings that began, and the most strokes and fills of one. */
  drawings: { count: number; most: number }
  /** Milliseconds of each task that took more than 50. */
  longTasks: number[]
}

/** Runs in the browser. */
function countLongTasks(): void {
  const longTasks: number[] = []
  Object.assign(globalThis, { longTasks })
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longTasks.push(duration)
  }).observe({ type: 'longtask', buffered: true })
}

/** Runs in the browser: counts what is drawn between two times that a canvas is cleared. */
function countStrokes(): void {
  const drawings = { count: 0, most: 0 }
  Object.assign(globalThis, { drawings })
  const own = CanvasRenderingContext2D.prototype as unknown as Record<string, () => unknown>
  const since = new WeakMap<object, number>()
  const counted = (name: string, count: (of: object) => void): void => {
    const before = own[name] as (...args: unknown[]) => unknown
    own[name] = function (this: object, ...args: unknown[]) {
      count(this)
      return before.apply(this, args)
    }
  }
  counted('clearRect', (of) => {
    since.set(of, 0)
    drawings.count++
  })
  for (const name of ['stroke', 'fill'])
    counted(name, (of) => {
      const count = (since.get(of) ?? 0) + 1
      since.set(of, count)
      drawings.most = Math.max(drawings.most, count)
    })
}

describe('of a master', () => {
  it('shows its nodes, sets and links', async () => {
    const master = await createMaster({ listen: '127.0.0.1:0', dataDir: world.dataDir(), key })
    world.defer(() => master.close())
    await world.node({ key, name: 'a', master: master.address })
    const own = await openDoor({ master }, { listen: '127.0.0.1:0', key })
    const { page, faults } = await openPage(browser, { token, bypassCSP: true })
    await page.goto(`http://${own.address}/`)
    await page.getByText('of 1 that ever joined').waitFor()
    await page.getByRole('heading', { name: 'Links' }).waitFor()
    expect(await accessFaults(page)).toEqual([])
    await page.getByRole('link', { name: 'Nodes' }).click()
    await page.getByRole('button', { name: 'Drain' }).click()
    await page.getByText('a is drained.').waitFor()
    expect(faults).toEqual([])
    await page.context().close()
    await own.close()
  })
})
