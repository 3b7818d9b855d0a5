/** Trees as models, read by the client of the model hub for JavaScript. */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { downloadFile, listFiles, modelInfo, pathsInfo, snapshotDownload } from '@huggingface/hub'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestFile, generateKey, push } from '../../src/api/index.js'
import { type Door, openDoor } from '../../src/doors/index.js'
import { World, type WorldNode } from './push-support.js'

const world = new World('native')
const key = generateKey()
const repo = 'team/tiny'
const weights = Buffer.alloc(5 * 1024 * 1024 + 3, 'weights')
let nodes: WorldNode[]
let doors: Door[]
let guarded: Door
let source: string
let hubUrl: string

const sha256 = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex')
const files: Record<string, Buffer> = {
  'config.json': Buffer.from('{"model_type":"tiny"}'),
  'model.safetensors': weights,
  'onnx/model q8.onnx': Buffer.from('quantised'),
}

beforeAll(async () => {
  source = join(world.dir, 'tiny')
  mkdirSync(join(source, 'onnx'), { recursive: true })
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(source, name), bytes)
  nodes = [await world.node({ key, keep: 2 }), await world.node({ key, keep: 2 })]
  doors = []
  for (const node of nodes) doors.push(await openDoor({ node }, { listen: '127.0.0.1:0', key }))
  const tokens = join(world.dir, 'tokens')
  const lines = [`${sha256('reader')} reader get team/**`, `${sha256('other')} other get other/**`]
  writeFileSync(tokens, `${lines.join('\n')}\n`, { mode: 0o600 })
  const [node] = nodes as [WorldNode]
  guarded = await openDoor({ node }, { listen: '127.0.0.1:0', key, tokens })
  hubUrl = `http://${doors[0]?.address}`
  const to = nodes.map(({ address }) => address)
  await push(source, { to, key, as: repo, atomic: true }).result
  await push(source, { to, key, as: 'team/secret', only: 'site = nowhere' }).result
  writeFileSync(join(source, 'config.json'), '{"model_type":"tiny","version":2}')
  await push(source, { to, key, as: repo, atomic: true, sha256: true }).result
  files['config.json'] = readFileSync(join(source, 'config.json'))
})
afterAll(async () => {
  for (const door of [...doors, guarded]) await door.close()
  await world.dispose()
})

const ask = (path: string, init?: RequestInit): Promise<Response> => fetch(`${hubUrl}${path}`, init)

describe('a hub', () => {
  it('is what its client lists and downloads from, the same at each node', async () => {
    const info = await modelInfo({ name: repo, hubUrl, additionalFields: ['sha', 'filePaths'] })
    expect(info.name).toBe(repo)
    expect(info.sha).toMatch(/^[0-9a-f]{40}$/)
    const names = Object.keys(files).sort()
    expect(info.filePaths.sort()).toEqual(names)
    const other = `http://${doors[1]?.address}`
    const there = await modelInfo({ name: repo, hubUrl: other, additionalFields: ['sha'] })
    expect(there.sha).toBe(info.sha)
    const listed: string[] = []
    for await (const { type, path, size, lfs } of listFiles({ repo, hubUrl, recursive: true })) {
      listed.push(`${type} ${path} ${size}`)
      const bytes = files[path]
      // The author has said it: the node works none out.
      if (bytes !== undefined) expect(lfs).toMatchObject({ oid: sha256(bytes), size })
    }
    const wanted = names.map((name) => `file ${name} ${files[name]?.length}`)
    expect(listed.sort()).toEqual(['directory onnx 0', ...wanted])
    const blob = await downloadFile({ repo, path: 'model.safetensors', hubUrl })
    expect(sha256(new Uint8Array((await blob?.arrayBuffer()) as ArrayBuffer))).toBe(sha256(weights))
    expect(await downloadFile({ repo, path: 'none.bin', hubUrl })).toBe(null)
    const cacheDir = join(world.dir, 'cache')
    const snapshot = await snapshotDownload({ repo, hubUrl, cacheDir })
    expect(snapshot).toMatch(new RegExp(`${info.sha}$`))
    for (const [name, bytes] of Object.entries(files))
      expect(readFileSync(join(snapshot, name)).equals(bytes), name).toBe(true)
  })

  it('believes the SHA-256 that come with a push, of the contents that they are of', async () => {
    const said = join(world.dir, 'said')
    mkdirSync(said)
    writeFileSync(join(said, 'f.bin'), 'content')
    const digest = await digestFile(join(said, 'f.bin'), { digest: 'blake3' })
    writeFileSync(join(said, '.fr-sha256'), `${'0'.repeat(64)}  ${digest}\n`)
    const [to] = nodes.map(({ address }) => [address])
    const pushed = async (options: object): Promise<string | undefined> => {
      await push(said, { to: to as string[], key, as: 'said', ...options }).result
      const [told] = await pathsInfo({ repo: 'said', hubUrl, paths: ['f.bin'] })
      return told?.lfs?.oid
    }
    expect(await pushed({})).toBe('0'.repeat(64))
    expect(await pushed({ sha256: true })).toBe(sha256('content'))
    const { siblings } = (await (await ask('/api/models/said')).json()) as { siblings: unknown[] }
    expect(siblings).toMatchObject([{ rfilename: 'f.bin' }])
  })

  it('has versions that are kept, by their commits too', async () => {
    const now = await modelInfo({ name: repo, hubUrl, additionalFields: ['sha'] })
    const before = await modelInfo({
      name: repo,
      hubUrl,
      revision: '-1',
      additionalFields: ['sha'],
    })
    expect(before.sha).not.toBe(now.sha)
    for (const revision of ['-1', before.sha]) {
      const config = await downloadFile({ repo, path: 'config.json', hubUrl, revision })
      expect(await config?.text()).toBe('{"model_type":"tiny"}')
    }
    const same = await downloadFile({ repo, path: 'config.json', hubUrl, revision: now.sha })
    expect(await same?.text()).toBe(files['config.json']?.toString())
  })

  it('answers in pages and parts, with the headers that clients look for', async () => {
    const pages: unknown[] = []
    let next: string | undefined = `/api/models/${repo}/tree/main?recursive=True&limit=2`
    while (next !== undefined) {
      const page: Response = await ask(next)
      const some = (await page.json()) as { path: string }[]
      pages.push(some.map(({ path }) => path))
      const link = /^<(.+)>; rel="next"$/.exec(page.headers.get('link') ?? '')?.[1]
      next = link?.slice(hubUrl.length)
    }
    expect(pages).toHaveLength(2)
    expect(pages.flat().sort()).toEqual([...Object.keys(files), 'onnx'].sort())
    const within = await ask(`/api/models/${repo}/tree/main/onnx`)
    expect(await within.json()).toMatchObject([{ type: 'file', path: 'onnx/model q8.onnx' }])
    const [told] = await pathsInfo({ repo, hubUrl, paths: ['config.json', 'no'], expand: true })
    const { sha } = await modelInfo({ name: repo, hubUrl, additionalFields: ['sha'] })
    expect(told).toMatchObject({ type: 'file', lastCommit: { id: sha } })
    const body = new URLSearchParams([
      ['paths', 'onnx'],
      ['paths', '../x'],
    ])
    const form = await ask(`/api/models/${repo}/paths-info/main`, { method: 'POST', body })
    expect(await form.json()).toMatchObject([{ type: 'directory', path: 'onnx' }])
    const head = await ask(`/${repo}/resolve/main/onnx/model%20q8.onnx`, { method: 'HEAD' })
    expect(Object.fromEntries(head.headers)).toMatchObject({
      ...{ 'x-repo-commit': sha, 'x-linked-size': '9', 'content-length': '9' },
      'content-disposition': `inline; filename*=UTF-8''model%20q8.onnx; filename="model q8.onnx";`,
    })
    expect(head.headers.get('x-linked-etag')).toBe(head.headers.get('etag'))
    const part = await ask(`/${repo}/resolve/${sha}/model.safetensors`, {
      headers: { range: 'bytes=7-13' },
    })
    expect([part.status, await part.text()]).toEqual([206, 'weights'])
  })

  it('refuses what is not there, not allowed and no name', async () => {
    const cases: readonly (readonly [string, string])[] = [
      ['/api/models/team/none', 'RepoNotFound'],
      ['/api/models/team/secret/tree/main', 'RepoNotFound'],
      ['/team/secret/resolve/main/config.json', 'RepoNotFound'],
      ['/api/models/team%2ftiny/tree/main', 'RepoNotFound'],
      ['/api/models/.fastreplica/x/tree/main', 'RepoNotFound'],
      [`/api/models/${repo}/revision/v9`, 'RevisionNotFound'],
      [`/api/models/${repo}/tree/${'0'.repeat(40)}`, 'RevisionNotFound'],
      [`/api/models/${repo}/tree/main/none`, 'EntryNotFound'],
      [`/${repo}/resolve/main/none`, 'EntryNotFound'],
      [`/${repo}/resolve/main/onnx`, 'EntryNotFound'],
      [`/${repo}/resolve/main/onnx%2f..%2fconfig.json`, 'EntryNotFound'],
      [`/${repo}/resolve/main/..%2fsecret%2fconfig.json`, 'EntryNotFound'],
    ]
    for (const [path, code] of cases) {
      const said = await ask(path)
      await said.body?.cancel()
      expect([path, said.status, said.headers.get('x-error-code')]).toEqual([path, 404, code])
    }
    const far = await ask(`/${repo}/resolve/main/config.json`, { headers: { range: 'bytes=99-' } })
    expect(far.status).toBe(416)
    const wrong = await ask(`/api/models/${repo}/paths-info/main`, {
      ...{ method: 'POST', body: '{"paths":[1]}' },
      headers: { 'content-type': 'application/json' },
    })
    expect(wrong.status).toBe(400)
    const put = await ask(`/${repo}/resolve/main/config.json`, { method: 'PUT', body: '' })
    expect(put.status).toBe(405)
    const at = async (token?: string): Promise<number> => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const path = `http://${guarded.address}/api/models/${repo}`
      const said = await fetch(path, { headers })
      await said.body?.cancel()
      return said.status
    }
    expect([await at(), await at('reader'), await at('other')]).toEqual([401, 200, 404])
  })
})
