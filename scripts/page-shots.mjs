/**
 * `npm run page:shots [-- --out DIR]`: looks at the page of a real node in Chromium while a push
 * runs, and makes the pictures of docs/page: wide and narrow, light and dark.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright-core'
import { until } from '../bench/running.mjs'
import { MIB, root, Workspace } from '../bench/workspace.mjs'
import { httpToken } from '../dist/api/keys.js'
import { beginPush, startScene } from './page-scene.mjs'

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: path.join(root, 'docs/page') },
    seconds: { type: 'string', default: '30' },
  },
})
const bytes = 96 * MIB
const wide = { width: 1000, height: 1210 }
const narrow = { width: 390, height: 1280 }
const shots = [
  { name: 'live', scheme: 'light', viewport: wide, at: '' },
  { name: 'phone', scheme: 'dark', viewport: narrow, at: '' },
]

const key = randomBytes(32).toString('hex')
const token = httpToken(key)
const env = { ...process.env, FR_KEY: key }
const workspace = new Workspace(8 * bytes, 'any', { name: 'fr-page', env })
try {
  const scene = await startScene(workspace, { count: 5, bytes })
  const small = await beginPush(scene, { bytes: 90e6 * 90, token, as: 'films/trailer.bin' })
  const isOver = async (id) => {
    const headers = { authorization: `Bearer ${token}` }
    const answer = await fetch(`${scene.origin}/api/v1/transfers/${id}`, { headers })
    return (await answer.json()).state !== 'running'
  }
  await until(() => isOver(small), 'the first push', 60_000)
  await beginPush(scene, { bytes, token })
  mkdirSync(values.out, { recursive: true })
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox'],
  })
  const pages = await Promise.all(
    shots.map(async ({ scheme, viewport, at }) => {
      const context = await browser.newContext({ viewport, colorScheme: scheme })
      await context.addInitScript((text) => sessionStorage.setItem('fr-token', text), token)
      const page = await context.newPage()
      page.on('console', (message) => console.log(message.text()))
      page.on('pageerror', (error) => console.log(error))
      await page.goto(`${scene.origin}/${at}`)
      return page
    }),
  )
  await new Promise((resolve) => setTimeout(resolve, Number(values.seconds) * 1000))
  for (const [at, { name }] of shots.entries())
    await pages[at].screenshot({ path: path.join(values.out, `${name}.png`) })
  await browser.close()
} finally {
  await workspace.close()
}
