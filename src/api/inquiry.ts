/** Opens what asks one node questions, from the options of a call. */
import { Inquiry } from '../agent/client.js'
import { limits } from '../base/limits.js'
import { requireAddress } from '../net/address.js'
import { selfOf, signerOf } from '../net/crypto.js'
import { Resolver } from '../net/resolver.js'
import { clientKey } from '../store/identity.js'
import { optionalInteger, requireSignal } from './checks.js'
import { checkCredentials } from './credentials.js'
import type { StatusOptions } from './types.js'

/** For one page of a list. */
export const pageMs = 10_000
/** For an answer of a node that says now and then that it is at it. */
export const wordMs = limits.stallMs + limits.acceptMs

export interface Asking {
  readonly inquiry: Inquiry
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

/** Checks the options that all questions share. Throws TypeError, or FrError for the key. */
export function checkAsking(options: StatusOptions): void {
  requireSignal(options.signal)
  checkCredentials(options)
  optionalInteger('timeoutMs', options.timeoutMs, 1, 600_000)
}

/**
 * Runs `use` with a checked address, HOST:PORT, and closes the link after it. An answer may take
 * `timeoutMs` of the options, else `withinMs`, from when the address is known.
 */
export async function asking<T>(
  address: string,
  options: StatusOptions,
  withinMs: number,
  use: (asking: Asking) => Promise<T>,
): Promise<T> {
  const opened = await openAsking(address, options, withinMs)
  try {
    return await use(opened)
  } finally {
    opened.inquiry.close()
  }
}

/** The same for what comes one after the other; left early, it ends what was asked for. */
export async function* askingEach<T>(
  address: string,
  options: StatusOptions,
  withinMs: number,
  use: (asking: Asking) => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const opened = await openAsking(address, options, withinMs)
  try {
    yield* use(opened)
  } finally {
    opened.inquiry.close()
  }
}

/** The caller closes `inquiry`. */
async function openAsking(
  address: string,
  options: StatusOptions,
  withinMs: number,
): Promise<Asking> {
  checkAsking(options)
  const { signal } = options
  signal?.throwIfAborted()
  const resolver = new Resolver({ lookupMs: options.timeoutMs ?? limits.lookupMs })
  const self = selfOf(signerOf(await clientKey()))
  try {
    await resolver.resolve(requireAddress(address, 'address').host, signal)
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
  // The default leaves part of the answer's time to other steps.
  const connectMs = options.timeoutMs ?? 5_000
  const key = checkCredentials(options)
  const inquiry = new Inquiry({ keys: [key], self, connectMs, resolver }, address)
  return { inquiry, timeoutMs: options.timeoutMs ?? withinMs, signal }
}
