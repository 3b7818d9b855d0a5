/**
 * A session of FTP (RFC 959): its commands one after the other, each answered before the next is
 * looked at.
 */
import type { Socket } from 'node:net'
import { ftpLimits } from '../../base/ftp-limits.js'
import { eprtArgument, pasvText, plainIp, portArgument } from './addresses.js'
import { type Command, type Fault, isFault } from './command-line.js'
import { Control } from './control.js'
import { DataWay } from './data-way.js'
import { fileCommands } from './file-commands.js'
import { FtpError, isDefect, refusalOf } from './ftp-error.js'
import { factNames } from './listing.js'
import { loginCommands } from './login.js'
import { type DoorWorld, type Handler, type State, whoIs } from './state.js'

const features = ['UTF8', 'SIZE', 'MDTM', 'REST STREAM', 'EPSV', 'EPRT', 'TVFS']
const encryption = ['AUTH TLS', 'PBSZ', 'PROT']

const ownCommands: Readonly<Record<string, Handler>> = {
  FEAT: { isForAll: true, run: feat },
  OPTS: { isForAll: true, argument: 'needed', run: opts },
  SYST: { isForAll: true, run: ({ control }) => control.reply(215, 'UNIX Type: L8') },
  NOOP: { isForAll: true, run: ({ control }) => control.reply(200, 'Yes') },
  HELP: { isForAll: true, argument: 'may', run: help },
  STAT: { run: stat },
  QUIT: { isForAll: true, run: quit },
  TYPE: { argument: 'needed', run: type },
  MODE: { argument: 'needed', run: (state, mode) => only(state, mode, 'S') },
  STRU: { argument: 'needed', run: (state, structure) => only(state, structure, 'F') },
  ALLO: { argument: 'may', run: ({ control }) => control.reply(202, 'Not needed here') },
  REST: { argument: 'needed', run: rest },
  ABOR: { run: abort },
  PASV: { run: pasv },
  EPSV: { argument: 'may', run: epsv },
  PORT: { argument: 'needed', run: port },
  EPRT: { argument: 'needed', run: eprt },
}

const commands = new Map([
  ...Object.entries(ownCommands),
  ...Object.entries(loginCommands),
  ...Object.entries(fileCommands),
  ...Object.entries({ XPWD: 'PWD', XCWD: 'CWD', XCUP: 'CDUP', XMKD: 'MKD' }).map(
    ([verb, same]) => [verb, fileCommands[same] as Handler] as const,
  ),
])

export class Session {
  readonly #state: State

  constructor(world: DoorWorld, socket: Socket) {
    const client = plainIp(socket.remoteAddress)
    const here = plainIp(socket.localAddress)
    this.#state = {
      ...{ world, client },
      control: new Control(socket),
      way: new DataWay({ client, here, ports: world.ports, sockets: world.sockets }),
      ...{ user: null, login: null, failures: 0 },
      ...{ directory: '', isBinary: false, restAt: 0, facts: factNames },
      ...{ context: null, isPbszSaid: false, isProtected: false },
      ...{ isEpsvAlone: false, isEnding: false },
    }
  }

  /** Resolves when it is over; never rejects. */
  async run(): Promise<void> {
    const { control, way, world } = this.#state
    const close = (): void => {
      control.reply(421, 'The door closes').catch(() => {})
      control.end()
    }
    world.signal.addEventListener('abort', close, { once: true })
    try {
      await control.reply(220, 'fastreplica')
      await this.#serve()
    } catch (error) {
      world.failed(error)
    } finally {
      world.signal.removeEventListener('abort', close)
      way.reset()
      control.end()
    }
  }

  async #serve(): Promise<void> {
    const state = this.#state
    const { control } = state
    const loginBy = performance.now() + ftpLimits.loginMs
    while (!state.isEnding && !control.isOver) {
      const loginMs = Math.max(0, loginBy - performance.now())
      const line = await control.next(state.login === null ? loginMs : ftpLimits.idleMs)
      if (line !== null) await this.#answer(line)
      else if (!control.isOver) {
        await control.reply(421, 'Nothing was said for too long')
        return
      }
    }
  }

  async #answer(line: Command | Fault): Promise<void> {
    const state = this.#state
    const { control, world } = state
    try {
      await obey(state, line)
    } catch (error) {
      if (world.signal.aborted) return
      if (isDefect(error)) world.failed(error)
      const { reply, message } = refusalOf(error)
      await control.reply(reply, message)
      state.isEnding ||= reply === 421
    }
  }
}

async function obey(state: State, line: Command | Fault): Promise<void> {
  if (isFault(line)) throw new FtpError(line.isFatal ? 421 : 500, line.fault)
  const { verb, argument } = line
  const handler = commands.get(verb)
  if (handler === undefined) throw new FtpError(502, 'this is not done here')
  if (handler.isForAll !== true) {
    if (state.login === null) throw new FtpError(530, 'USER and PASS come first')
    if (whoIs(state) === undefined) throw new FtpError(421, 'the token counts no more')
  }
  if (handler.argument === 'needed' && (argument ?? '') === '')
    throw new FtpError(501, `${verb} needs an argument`)
  await handler.run(state, argument ?? '')
}

function feat({ control, world }: State): Promise<void> {
  const facts = `MLST ${factNames.map((fact) => `${fact}*;`).join('')}`
  const more = world.secureContext() === null ? [] : encryption
  return control.reply(211, 'Features', ...features, facts, ...more, 'End')
}

async function opts(state: State, argument: string): Promise<void> {
  const { control } = state
  if (/^UTF-?8(?: ON)?$/i.test(argument)) return control.reply(200, 'Always')
  const [, list] = /^MLST(?: (.*))?$/i.exec(argument) ?? []
  if (!/^MLST(?: |$)/i.test(argument)) throw new FtpError(501, 'there is no such option')
  const asked = (list ?? '').toLowerCase().split(';').slice(0, ftpLimits.facts)
  state.facts = factNames.filter((fact) => asked.includes(fact))
  await control.reply(200, `MLST OPTS ${state.facts.map((fact) => `${fact};`).join('')}`)
}

function help({ control }: State): Promise<void> {
  return control.reply(214, 'Commands', [...commands.keys()].sort().join(' '), 'End')
}

function stat({ control, client, isProtected }: State): Promise<void> {
  const data = isProtected ? 'encrypted' : 'in the clear'
  return control.reply(211, `Data connections to ${client} are ${data}`)
}

async function quit(state: State): Promise<void> {
  state.isEnding = true
  await state.control.reply(221, 'Good bye')
}

/** Files are bytes: a type changes nothing. */
async function type(state: State, argument: string): Promise<void> {
  if (!/^(?:[AI]|A N|L 8)$/i.test(argument)) throw new FtpError(504, 'TYPE I and TYPE A are known')
  state.isBinary = !/^A/i.test(argument)
  await state.control.reply(200, state.isBinary ? 'Binary' : 'Text, sent as it is')
}

async function only({ control }: State, argument: string, known: string): Promise<void> {
  if (argument.toUpperCase() !== known) throw new FtpError(504, `only ${known} is known`)
  await control.reply(200, known)
}

async function rest(state: State, argument: string): Promise<void> {
  const at = Number(argument)
  if (!/^\d{1,16}$/.test(argument) || !Number.isSafeInteger(at))
    throw new FtpError(501, 'REST has a number of bytes')
  state.restAt = at
  await state.control.reply(350, `The next transfer begins at ${at}`)
}

async function abort({ control, way }: State): Promise<void> {
  way.reset()
  await control.reply(226, 'No transfer is under way')
}

function mayBeOld({ isEpsvAlone }: State): void {
  if (isEpsvAlone) throw new FtpError(501, 'EPSV ALL was said')
}

async function pasv(state: State): Promise<void> {
  mayBeOld(state)
  const text = pasvText(await state.way.passive())
  if (text === null) {
    state.way.reset()
    throw new FtpError(425, 'EPSV is for IPv6')
  }
  await state.control.reply(227, `Entering Passive Mode (${text})`)
}

async function epsv(state: State, argument: string): Promise<void> {
  const { control, way } = state
  if (/^ALL$/i.test(argument)) {
    state.isEpsvAlone = true
    return control.reply(200, 'EPSV alone')
  }
  const own = state.client.includes(':') ? '2' : '1'
  if (argument !== '' && argument !== own) {
    const known = /^\d+$/.test(argument)
    throw new FtpError(known ? 522 : 501, `the network protocol is another one, use (${own})`)
  }
  const { port } = await way.passive()
  await control.reply(229, `Entering Extended Passive Mode (|||${port}|)`)
}

async function port(state: State, argument: string): Promise<void> {
  mayBeOld(state)
  const to = portArgument(argument)
  if (to === null) throw new FtpError(501, 'PORT has six numbers')
  state.way.active(to)
  await state.control.reply(200, 'There it goes')
}

async function eprt(state: State, argument: string): Promise<void> {
  mayBeOld(state)
  const to = eprtArgument(argument)
  if (to === null) throw new FtpError(501, 'EPRT has a protocol, an address and a port')
  if (to === 'family') throw new FtpError(522, 'network protocol not known, use (1,2)')
  state.way.active(to)
  await state.control.reply(200, 'There it goes')
}
