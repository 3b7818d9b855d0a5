/** A master that NATS lets in by credentials: the token of a user, and the seed of its key. */
import { writeFileSync } from 'node:fs'
import { nkeys } from '@nats-io/transport-node'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { until } from '../../bench/running.mjs'
import { World } from './cli-world.js'

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

type Pair = ReturnType<typeof nkeys.createUser>

/** A token of NATS: signed by `issuer`, about `subject`. */
function token(issuer: Pair, subject: Pair, nats: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const [iss, sub] = [issuer.getPublicKey(), subject.getPublicKey()]
  const iat = Math.floor(Date.now() / 1_000) - 60
  const said = { jti: sub, iat, iss, sub, name: 'test', nats: { ...nats, version: 2 } }
  const signed = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part(said)}`
  return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString('base64url')}`
}

function credentials(jwt: string, user: Pair): string {
  const block = (what: string, text: string) =>
    `-----BEGIN ${what}-----\n${text}\n------END ${what}------\n`
  const seed = new TextDecoder().decode(user.getSeed())
  return `${block('NATS USER JWT', jwt)}\n${block('USER NKEY SEED', seed)}`
}

it('lets in by credentials, and names a file that is none', { timeout: 120_000 }, async () => {
  const operator = nkeys.createOperator()
  const [account, system] = [nkeys.createAccount(), nkeys.createAccount()]
  const [user, stranger] = [nkeys.createUser(), nkeys.createUser()]
  const all = {
    subs: -1,
    data: -1,
    payload: -1,
    imports: -1,
    exports: -1,
    wildcards: true,
    conn: -1,
  }
  const stores = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 }
  const limits = { ...all, ...stores }
  const accounts = [
    `${account.getPublicKey()}: ${token(operator, account, { type: 'account', limits })}`,
    `${system.getPublicKey()}: ${token(operator, system, { type: 'account', limits: all })}`,
  ]
  const config = [
    // Any port, which it says.
    'listen: "127.0.0.1:-1"',
    `jetstream { store_dir: "${world.path('nats')}", max_file_store: 2GB }`,
    `operator: ${token(operator, operator, { type: 'operator' })}`,
    // JetStream wants one of its own.
    `system_account: ${system.getPublicKey()}`,
    'resolver: MEMORY',
    `resolver_preload: { ${accounts.join('\n')} }`,
  ]
  writeFileSync(world.path('nats.conf'), config.join('\n'))
  const nats = world.start('nats-server', ['-c', world.path('nats.conf')])
  const heard = () => /client connections on 127\.0\.0\.1:(\d+)/.exec(nats.stderr)
  const isReady = () => heard() !== null && nats.stderr.includes('Server is ready')
  await until(isReady, 'nats-server is ready', 60_000)
  const port = heard()?.[1]
  const jwt = token(account, user, { type: 'user', subs: -1, data: -1, payload: -1 })
  const given = (name: string, text: string) => {
    writeFileSync(world.path(`${name}.creds`), text, { mode: 0o600 })
    const state = { credentialsFile: world.path(`${name}.creds`) }
    writeFileSync(world.path(`${name}.json`), JSON.stringify(state), { mode: 0o600 })
    const where = ['--listen', '127.0.0.1:0', '--data', world.path(name)]
    const kept = ['--state', `nats://127.0.0.1:${port}/test`]
    return ['master', ...where, ...kept, '--state-file', world.path(`${name}.json`), '--json']
  }
  const none = await world.run(given('none', 'secret-of-nobody'))
  expect(none.stderr).toContain('none.creds: it is no file of credentials of NATS (.creds)')
  expect(none.stderr).not.toContain('secret-of-nobody')
  // The token is right, and the key is another one.
  const other = await world.run(given('other', credentials(jwt, stranger)))
  expect(other.stderr).toContain('ERR_FR_AUTH')
  const master = world.fr([...given('right', credentials(jwt, user)), '--log-format', 'json'])
  await until(() => master.stderr.includes('master-leads'), 'it leads', 60_000)
})
