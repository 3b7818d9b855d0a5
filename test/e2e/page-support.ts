/**
 * Debian's Chromium for tests of the page: one browser for a file, contexts that note what no page
 * may do (errors, dialogs, what the policy refuses), and a door that pretends to lead a fleet.
 */
import { readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

export function launch(): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage']
  return chromium.launch({ executablePath: '/usr/bin/chromium', args, timeout: 110_000 })
}

export interface Watched {
  readonly page: Page
  /** What it has done that it must not. */
  readonly faults: string[]
}

/** A page in a context of its own, with this token. */
export async function openPage(
  browser: Browser,
  { token, ...options }: BrowserContextOptions & { readonly token?: string } = {},
): Promise<Watched> {
  // What moves is drawn again and again, and nobody looks.
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
  context.setDefaultTimeout(60_000)
  if (token !== undefined)
    await context.addInitScript((text) => sessionStorage.setItem('fr-token', text), token)
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`))
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('console', (message) => {
    if (/Content Security Policy|TrustedHTML/.test(message.text())) faults.push(message.text())
  })
  return { page, faults }
}

/** What axe-core calls serious, of all rules or these; the context must let scripts in. */
export async function accessFaults(page: Page, rules?: readonly string[]): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis)))
    await page.addScriptTag({ content: readFileSync(axePath, 'utf8') })
  return page.evaluate(async (only) => {
    const { axe } = globalThis as unknown as { axe: typeof import('axe-core') }
    const { violations } = await axe.run(document, {
      resultTypes: ['violations'],
      ...(only !== undefined && { runOnly: [...only] }),
    })
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
  }, rules)
}

export interface Fleet extends AsyncDisposable {
  readonly origin: string
  /** Tells the next progress to whoever watches. */
  tell(): void
}

const fleetId = 'f'.repeat(32)

/** The files of the page as `door` has them, over the words of a push to `count` nodes. */
export async function fleet(door: string, count: number): Promise<Fleet> {
  const nodes = Array.from({ length: count }, (_, at) => `10.0.${at >> 8}.${at & 255}:7400`)
  const watchers = new Set<ServerResponse>()
  let told = 0
  const send = (to: ServerResponse, event: string, data: unknown): void => {
    to.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }
  const summary = {
    ...{ id: fleetId, kind: 'push', name: 'model.bin', state: 'running', startedAt: '2026' },
    ...{ endedAt: null, bytes: 1000, share: 0, problem: null },
  }
  const progress = () => ({
    ...{ event: 'progress', transfer: fleetId, seconds: told / 4, bytes: 1000, efficiency: null },
    ...{ landedBytes: told, totalBytes: 1000 * count, share: 0, originBytesSent: told * 500 },
    faults: [],
    nodes: nodes.map((node, at) => ({
      ...{ node, state: 'receiving', landedBytes: (told * 7 + at) % 1000, verifiedBytes: 0 },
      ...{ rateBytesPerSecond: 1000 + at, rateOutBytesPerSecond: 900, dealtBytes: 1 },
      ...{ relayedBytes: 1, relayedShare: 1 / count, queueBytes: at, isLagging: false },
      ...{ isDemoted: false, isCatchingUp: false, etaSeconds: 9, waitsFor: null },
    })),
  })
  const plan = {
    ...{ event: 'plan', transfer: fleetId, strategy: 'adaptive', shape: 'group' },
    ...{ groups: [nodes], parents: [null], later: [], sites: [null], shares: [], bytes: 1000 },
    ...{ predictedSeconds: 60, boundSeconds: 50, limiting: 'origin uplink', shapes: [] },
  }
  const status = await (await fetch(`http://${door}/api/v1/node`)).json()
  const server = createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?')
    const streams = (begin: () => void): void => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      begin()
    }
    if (path === '/api/v1/node/events') streams(() => send(response, 'status', status))
    else if (path === `/api/v1/transfers/${fleetId}/events`)
      streams(() => {
        send(response, 'transfer', summary)
        send(response, 'plan', plan)
        send(response, 'progress', progress())
        watchers.add(response)
        response.once('close', () => watchers.delete(response))
      })
    else if (path === '/api/v1/transfers') response.end(JSON.stringify({ items: [summary] }))
    else if (path.startsWith('/api/')) response.writeHead(404).end('{}')
    else void passOn(`http://${door}${request.url}`, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    tell() {
      told++
      for (const watcher of watchers) send(watcher, 'progress', progress())
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function passOn(url: string, response: ServerResponse): Promise<void> {
  const answer = await fetch(url)
  const kept = ['content-type', 'content-security-policy'] as const
  for (const name of kept) response.setHeader(name, answer.headers.get(name) ?? '')
  response.writeHead(answer.status).end(await answer.text())
}
