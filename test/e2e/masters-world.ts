/** A NATS server, and masters that keep their state there, as processes. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { freePort } from '../../bench/programs.mjs'
import { until } from '../../bench/running.mjs'
import { fetchStatus } from '../../src/api/index.js'
import { type Running, type ServingNode, World } from './cli-world.js'

const longMs = 60_000

/** Shown nowhere. */
export const natsPassword = 'not-on-a-command-line'

export interface MasterProcess {
  readonly address: string
  readonly name: string
  running: Running
}

export class MastersWorld extends World {
  #nats: Running | undefined
  #port = 0
  readonly masters: MasterProcess[] = []
  /** All that those have logged that were killed. */
  readonly #logs: string[] = []

  /** Fails where there is none: `apt install nats-server`. */
  async startNats(): Promise<void> {
    if (spawnSync('nats-server', ['--version']).status !== 0)
      throw new Error('nats-server is not installed (Debian: apt install nats-server)')
    if (this.#port === 0) await this.#prepareNats()
    this.#nats = this.start('nats-server', ['-c', this.path('nats.conf')])
    const { running } = { running: this.#nats }
    await until(() => running.stderr.includes('Server is ready'), 'nats-server is ready', longMs)
  }

  /** It wants TLS, a certificate of whoever connects, and a password. */
  async #prepareNats(): Promise<void> {
    this.#port = await freePort()
    for (const args of [
      ['init', 'ca'],
      ['issue', 'localhost', '--dir', 'ca'],
    ])
      if ((await this.run(['ca', ...args])).status !== 0) throw new Error('fr ca has failed')
    const file = (name: string): string => this.path(`ca/${name}`)
    const [ca, cert, key] = [file('ca.crt'), file('localhost.crt'), file('localhost.key')]
    const config = [
      `listen: "127.0.0.1:${this.#port}"`,
      `jetstream { store_dir: "${this.path('nats')}", max_file_store: 2GB }`,
      `tls { ca_file: "${ca}", cert_file: "${cert}", key_file: "${key}", verify: true }`,
      `authorization { user: "masters", password: "${natsPassword}" }`,
    ]
    writeFileSync(this.path('nats.conf'), config.join('\n'))
    const tls = { ca, cert, key, name: 'localhost' }
    const state = { user: 'masters', password: natsPassword, tls }
    writeFileSync(this.path('state.json'), JSON.stringify(state), { mode: 0o600 })
  }

  async killNats(): Promise<void> {
    this.#nats?.kill('SIGKILL')
    await this.#nats?.ended
  }

  /** None where there is no NATS server: the state is on the disk of the one master. */
  get stateArguments(): string[] {
    if (this.#nats === undefined) return []
    const url = `tls://127.0.0.1:${this.#port}/test`
    return ['--state', url, '--state-file', this.path('state.json')]
  }

  async startMasters(count: number, more: readonly string[] = []): Promise<void> {
    for (let i = 0; i < count; i++) {
      const [name, address] = [`m${i + 1}`, `127.0.0.1:${await freePort()}`]
      mkdirSync(this.path(name), { recursive: true })
      const running = this.#start(name, address, more)
      this.masters.push({ name, address, running })
    }
    const isThere = ({ running }: MasterProcess): boolean => running.lines.length > 0
    await until(() => this.masters.every(isThere), 'masters listen', longMs)
  }

  #start(name: string, address: string, more: readonly string[]): Running {
    const log = ['--log-format', 'json', '--json']
    const args = ['--listen', address, '--data', this.path(name), ...this.stateArguments]
    return this.fr(['master', ...args, ...log, ...more])
  }

  /** Kills it, and starts it again where it was. */
  async replace(one: MasterProcess, more: readonly string[] = []): Promise<void> {
    one.running.kill('SIGKILL')
    await one.running.ended
    this.#logs.push(one.running.stderr)
    one.running = this.#start(one.name, one.address, more)
  }

  /** All that masters have logged. */
  get logs(): string[] {
    return [...this.#logs, ...this.masters.map(({ running }) => running.stderr)]
  }

  /** The one that began to lead last, and its term. */
  leading(): { readonly one: MasterProcess; readonly term: number } | null {
    let found: { one: MasterProcess; term: number } | null = null
    for (const one of this.masters)
      for (const term of termsIn(one.running.stderr))
        if (term > (found?.term ?? 0)) found = { one, term }
    return found
  }

  /** The first one of a later term. */
  async untilLeads(after = 0): Promise<{ readonly one: MasterProcess; readonly term: number }> {
    const isLater = (): boolean => (this.leading()?.term ?? 0) > after
    await until(isLater, `a master leads after term ${after}`, longMs)
    return this.leading() as NonNullable<ReturnType<MastersWorld['leading']>>
  }

  /** All terms that masters have led. */
  get terms(): number[] {
    return this.logs.flatMap((text) => [...termsIn(text)])
  }

  get masterArguments(): string[] {
    return this.masters.flatMap(({ address }) => ['--master', address])
  }

  async received({ address }: ServingNode): Promise<number> {
    const { counters } = await fetchStatus(address, { key: this.env['FR_KEY'] as string })
    return counters['receivedBytes'] ?? 0
  }

  /** To the one that leads, whichever that is by then, or to this one. */
  async untilLinked(nodes: readonly ServingNode[], to?: MasterProcess): Promise<void> {
    const isLinked = async ({ address }: ServingNode): Promise<boolean> => {
      const { master } = await fetchStatus(address, { key: this.env['FR_KEY'] as string })
      return master?.isLinked === true && master.address === (to ?? this.leading()?.one)?.address
    }
    const all = async () => (await Promise.all(nodes.map(isLinked))).every(Boolean)
    await until(all, 'nodes are linked to the master that leads', longMs, 20)
  }
}

function* termsIn(text: string): Generator<number> {
  for (const [, term] of text.matchAll(/"event":"master-leads"[^\n]*"term":(\d+)/g))
    yield Number(term)
}
