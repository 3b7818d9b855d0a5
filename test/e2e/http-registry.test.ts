/** Trees that are OCI image layouts, read by clients of registries. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { generateKey, push } from '../../src/api/index.js'
import { httpToken } from '../../src/api/keys.js'
import { type Door, openDoor } from '../../src/doors/index.js'
import { holdingDoor } from './door.js'
import { until, World, type WorldNode } from './push-support.js'

const run = promisify(execFile)
const world = new World('native')
const key = generateKey()
const mediaType = 'application/vnd.oci.image.manifest.v1+json'
const indexType = 'application/vnd.oci.image.index.v1+json'
const signatureType = 'application/vnd.example.signature'
let node: WorldNode
let door: Door
let origin: string
let layout: string

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

/** Writes a blob of the layout. */
function blob(type: string, bytes: Uint8Array | string): Descriptor {
  const hex = createHash('sha256').update(bytes).digest('hex')
  writeFileSync(join(layout, 'blobs/sha256', hex), bytes)
  return { mediaType: type, digest: `sha256:${hex}`, size: Buffer.byteLength(bytes) }
}

const layer = Buffer.alloc(700_000, 'layer')
let image: Descriptor
let signature: Descriptor
let damaged: string

beforeAll(async () => {
  layout = join(world.dir, 'layout')
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true })
  const diff = `sha256:${createHash('sha256').update(layer).digest('hex')}`
  const config = blob(
    'application/vnd.oci.image.config.v1+json',
    JSON.stringify({
      ...{ architecture: 'amd64', os: 'linux', config: {} },
      rootfs: { type: 'layers', diff_ids: [diff] },
    }),
  )
  const layers = [blob('application/vnd.oci.image.layer.v1.tar', layer)]
  const said = { schemaVersion: 2, mediaType }
  image = blob(mediaType, JSON.stringify({ ...said, config, layers }))
  const empty = blob('application/vnd.oci.empty.v1+json', '{}')
  const about = { artifactType: signatureType, config: empty, layers: [empty], subject: image }
  signature = blob(mediaType, JSON.stringify({ ...said, ...about, annotations: { by: 'me' } }))
  damaged = blob('application/octet-stream', 'as it was').digest
  writeFileSync(join(layout, 'blobs/sha256', damaged.slice(7)), 'as it is.')
  const tagged = (tag: string) => ({
    ...image,
    annotations: { 'org.opencontainers.image.ref.name': tag },
  })
  const manifests = [tagged('v1'), tagged('latest'), tagged('v2'), signature]
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }))
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  node = await world.node({ key, attributes: { site: 'here' } })
  const tokens = join(world.dir, 'tokens')
  const sha256 = (token: string): string => createHash('sha256').update(token).digest('hex')
  writeFileSync(tokens, `${sha256('reader')} reader get team/**, status\n* get open/**\n`, {
    mode: 0o600,
  })
  door = await openDoor({ node }, { listen: '127.0.0.1:0', key })
  guarded = await openDoor({ node }, { listen: '127.0.0.1:0', key, tokens })
  origin = `http://${door.address}`
  const to = [node.address]
  await push(layout, { to, key, as: 'team/app', sha256: true }).result
  await push(layout, { to, key, as: 'team/secret', only: 'site = here' }).result
  await push(layout, { to, key, as: 'other/app' }).result
})
let guarded: Door
afterAll(async () => {
  await door.close()
  await guarded.close()
  await world.dispose()
})

const ask = (path: string, init?: RequestInit): Promise<Response> => fetch(`${origin}${path}`, init)

async function refused(answer: Promise<Response>): Promise<readonly [number, string]> {
  const said = await answer
  const { errors } = (await said.json()) as { errors: { code: string }[] }
  return [said.status, errors[0]?.code ?? '']
}

describe('a registry', () => {
  it('is what skopeo copies from, inspects and lists', async () => {
    const plain = ['--tls-verify=false']
    const from = `docker://${door.address}/team/app`
    const policy = ['--insecure-policy']
    const copied = join(world.dir, 'copied')
    const copy = [
      'copy',
      '-q',
      '--preserve-digests',
      '--src-tls-verify=false',
      `${from}:v1`,
      `oci:${copied}:v1`,
    ]
    await run('skopeo', [...policy, ...copy])
    const index = JSON.parse(readFileSync(join(copied, 'index.json'), 'utf8'))
    expect(index.manifests).toMatchObject([{ digest: image.digest }])
    for (const { digest } of [image]) {
      const path = `blobs/sha256/${digest.slice(7)}`
      expect(readFileSync(join(copied, path))).toEqual(readFileSync(join(layout, path)))
    }
    const found = await run('skopeo', [...policy, 'inspect', ...plain, `${from}@${image.digest}`])
    expect(JSON.parse(found.stdout)).toMatchObject({
      ...{ Digest: image.digest, Architecture: 'amd64', RepoTags: ['latest', 'v1', 'v2'] },
    })
    const tags = await run('skopeo', ['list-tags', ...plain, from])
    expect(JSON.parse(tags.stdout).Tags).toEqual(['latest', 'v1', 'v2'])
    const creds = ['--creds', 'any:reader', ...plain]
    const behind = `docker://${guarded.address}/team/app`
    const listed = await run('skopeo', ['list-tags', ...creds, behind])
    expect(JSON.parse(listed.stdout).Tags).toHaveLength(3)
  })

  it('answers as its specification says', async () => {
    expect(await (await ask('/v2/')).json()).toEqual({})
    const head = await ask('/v2/team/app/manifests/latest', { method: 'HEAD' })
    expect(Object.fromEntries(head.headers)).toMatchObject({
      ...{ 'content-type': mediaType, 'content-length': String(image.size) },
      ...{ 'docker-content-digest': image.digest, etag: `"${image.digest}"` },
    })
    const manifest = await ask(`/v2/team/app/manifests/${image.digest}`)
    const bytes = Buffer.from(await manifest.arrayBuffer())
    expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(image.digest)
    const [of] = JSON.parse(bytes.toString()).layers
    const part = await ask(`/v2/team/app/blobs/${of.digest}`, { headers: { range: 'bytes=5-9' } })
    expect([part.status, await part.text()]).toEqual([206, 'layer'])
    expect(part.headers.get('docker-content-digest')).toBe(of.digest)
    const first = await ask('/v2/team/app/tags/list?n=2')
    expect(await first.json()).toEqual({ name: 'team/app', tags: ['latest', 'v1'] })
    const next = /^<(.+)>; rel="next"$/.exec(first.headers.get('link') ?? '')?.[1] ?? ''
    expect(await (await ask(next)).json()).toEqual({ name: 'team/app', tags: ['v2'] })
    const path = `/v2/team/app/referrers/${image.digest}`
    const { digest, size } = signature
    const annotations = { by: 'me' }
    const listed = { mediaType, digest, size, artifactType: signatureType, annotations }
    const said = { schemaVersion: 2, mediaType: indexType, manifests: [listed] }
    const all = await ask(path)
    expect([all.headers.get('content-type'), await all.json()]).toEqual([indexType, said])
    const none = await ask(`${path}?artifactType=a/b`)
    expect([none.headers.get('oci-filters-applied'), await none.json()]).toEqual([
      ...['artifactType', { ...said, manifests: [] }],
    ])
  })

  it('has what a push that runs has brought, and waits for the rest', async () => {
    const behind = await holdingDoor(node.address, 2 * 1024 * 1024)
    world.defer(() => behind.close())
    const large = blob('application/octet-stream', Buffer.alloc(8 * 1024 * 1024, 'large'))
    const to = [behind.address]
    const pushing = push(layout, { to, key, as: 'team/late', flows: 1 }).result
    const manifest = (): Promise<Response> => ask('/v2/team/late/manifests/v1', { method: 'HEAD' })
    await until(() => behind.isHolding())
    await until(() => existsSync(join(node.dataDir, 'team/late/index.json')))
    // The record of what is there already is written behind it.
    await until(async () => (await manifest()).status === 200)
    const wanted = ask(`/v2/team/late/blobs/${large.digest}`)
    const info = ask('/api/models/team/late')
    const first = Promise.race([wanted, info, pause(500).then(() => null)])
    expect(await first).toBe(null)
    behind.open()
    const answer = await wanted
    const got = Buffer.from(await answer.arrayBuffer())
    const digest = createHash('sha256').update(got).digest('hex')
    expect([answer.status, `sha256:${digest}`]).toEqual([200, large.digest])
    expect((await info).status).toBe(200)
    expect(await pushing).toMatchObject({ nodes: [{ status: 'complete' }] })
  })

  it('refuses what is not there, not right, not allowed and no name', async () => {
    const none = `sha256:${'0'.repeat(64)}`
    const cases: readonly (readonly [string, number, string])[] = [
      ['team/none/manifests/v1', 404, 'NAME_UNKNOWN'],
      ['team/app/manifests/v9', 404, 'MANIFEST_UNKNOWN'],
      [`team/app/manifests/${none}`, 404, 'MANIFEST_UNKNOWN'],
      [`team/app/blobs/${none}`, 404, 'BLOB_UNKNOWN'],
      [`team/app/blobs/${damaged}`, 404, 'BLOB_UNKNOWN'],
      [`team/app/manifests/${damaged}`, 404, 'MANIFEST_UNKNOWN'],
      [`team/app/blobs/sha512:${'0'.repeat(128)}`, 404, 'BLOB_UNKNOWN'],
      ['team/app/blobs/sha256', 400, 'DIGEST_INVALID'],
      ['team/App/manifests/v1', 400, 'NAME_INVALID'],
      ['team/%2e%2e%2fother/tags/list', 400, 'NAME_INVALID'],
      ['.fastreplica/x/tags/list', 400, 'NAME_INVALID'],
      ['team/secret/manifests/v1', 404, 'NAME_UNKNOWN'],
      ['team/app/manifests/%zz', 404, 'UNSUPPORTED'],
      ['team/app/uploads', 404, 'UNSUPPORTED'],
    ]
    for (const [path, status, code] of cases)
      expect([path, ...(await refused(ask(`/v2/${path}`)))]).toEqual([path, status, code])
    const beyond = ask(`/v2/team/app/manifests/${image.digest}`, { method: 'PUT', body: '{}' })
    expect(await refused(beyond)).toEqual([405, 'UNSUPPORTED'])
    const { digest } = signature
    const far = ask(`/v2/team/app/blobs/${digest}`, { headers: { range: 'bytes=9999999-' } })
    expect(await refused(far)).toEqual([416, 'UNKNOWN'])
  })

  it('asks whoever shows no token for one, and tells others nothing', async () => {
    const at = (path: string, token?: string): Promise<Response> =>
      fetch(`http://${guarded.address}${path}`, {
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      })
    const bare = await at('/v2/team/app/tags/list')
    expect(bare.headers.get('www-authenticate')).toMatch(/^Basic realm=/)
    expect(await refused(Promise.resolve(bare))).toEqual([401, 'UNAUTHORIZED'])
    expect((await at('/v2/team/app/tags/list', 'reader')).status).toBe(200)
    expect(await refused(at('/v2/other/app/tags/list', 'reader'))).toEqual([404, 'NAME_UNKNOWN'])
    const wrong = await at('/v2/', 'wrong')
    expect(wrong.status).toBe(401)
    await wrong.body?.cancel()
    const holder = await fetch(`${origin}/v2/`, {
      headers: { authorization: `Bearer ${httpToken(key)}` },
    })
    expect(holder.status).toBe(200)
  })
})
