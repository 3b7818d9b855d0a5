/**
 * Who logs in (USER, PASS), and encryption (RFC 4217). A password is a token of the door; the name
 * is any. `anonymous` is whoever has no token, where such a one may anything at all.
 *
 * Guessing: each wrong password takes its time, some end the connection, and of an address that has
 * sent many none is looked at for a while.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { doorLimits } from '../../base/door-limits.js'
import { ftpLimits } from '../../base/ftp-limits.js'
import type { Who } from '../mount.js'
import { sha256Of } from '../tokens.js'
import { FtpError } from './ftp-error.js'
import type { Handler, Login, State } from './state.js'

export const loginCommands: Readonly<Record<string, Handler>> = {
  USER: { isForAll: true, argument: 'needed', run: user },
  PASS: { isForAll: true, argument: 'may', run: pass },
  AUTH: { isForAll: true, argument: 'needed', run: auth },
  PBSZ: { isForAll: true, argument: 'needed', run: pbsz },
  PROT: { isForAll: true, argument: 'needed', run: prot },
}

const isAnonymous = (name: string): boolean => /^(?:anonymous|ftp)$/i.test(name)

async function user(state: State, name: string): Promise<void> {
  const { control, world } = state
  state.login = null
  state.user = null
  // A token that is sent in the clear is everybody's.
  if (!isAnonymous(name) && !control.isEncrypted && world.secureContext() !== null)
    throw new FtpError(530, 'AUTH TLS comes first: the door has a certificate')
  state.user = name
  await control.reply(331, 'The password is a token of the door')
}

async function pass(state: State, password: string): Promise<void> {
  const { control, user: name } = state
  if (name === null) throw new FtpError(503, 'USER comes first')
  state.user = null
  const login = isAnonymous(name) ? anonymous(state) : holder(state, password)
  if (login === null) return refuse(state)
  state.login = login
  await control.reply(230, 'Logged in')
}

/** Null: it may nothing. */
function anonymous({ world }: State): Login | null {
  return mayAnything(world.tokens.nobody) ? { sha256: null } : null
}

function mayAnything(who: Who): boolean {
  return who.rights('get') || who.rights('status') || who.rights('push')
}

function holder({ world, client }: State, password: string): Login | null {
  if (world.admission.isShutOut(client)) return null
  const sha256 = sha256Of(password)
  const isShort = password.length <= doorLimits.tokenChars
  if (isShort && world.tokens.find(sha256) !== undefined) return { sha256 }
  if (world.admission.failed(client)) {
    const text = 'so many wrong passwords came from there that none is looked at for a while'
    world.log({ level: 'warn', event: 'ftp-guessing', fields: { address: client, text } })
  }
  return null
}

async function refuse(state: State): Promise<void> {
  const { control, world } = state
  await delay(ftpLimits.failureMs, undefined, { signal: world.signal })
  state.isEnding = ++state.failures >= ftpLimits.failuresPerConnection
  if (state.isEnding) await control.reply(421, 'Too many wrong passwords')
  else await control.reply(530, 'Not logged in')
}

async function auth(state: State, mechanism: string): Promise<void> {
  const { control, world } = state
  if (!/^(?:TLS|TLS-C|SSL)$/i.test(mechanism)) throw new FtpError(504, 'AUTH TLS is known')
  if (control.isEncrypted) throw new FtpError(503, 'the connection is encrypted')
  const context = world.secureContext()
  if (context === null) throw new FtpError(502, 'the door has no certificate')
  state.login = null
  state.user = null
  const isEncrypted = await control.encrypt(context, '234 AUTH TLS\r\n')
  if (isEncrypted) state.context = context
  else state.isEnding = true
}

async function pbsz(state: State, size: string): Promise<void> {
  if (state.context === null) throw new FtpError(503, 'AUTH TLS comes first')
  if (!/^\d{1,10}$/.test(size)) throw new FtpError(501, 'PBSZ 0 is known')
  state.isPbszSaid = true
  await state.control.reply(200, 'PBSZ=0')
}

async function prot(state: State, level: string): Promise<void> {
  const { control } = state
  if (!state.isPbszSaid) throw new FtpError(503, 'PBSZ comes first')
  if (/^[SE]$/i.test(level)) throw new FtpError(536, 'PROT P and PROT C are known')
  if (!/^[PC]$/i.test(level)) throw new FtpError(504, 'PROT P and PROT C are known')
  state.isProtected = /^P$/i.test(level)
  await control.reply(200, state.isProtected ? 'Data is encrypted' : 'Data is in the clear')
}
