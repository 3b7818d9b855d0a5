/** The options of certificates, which every command has that takes a key. */
import type { Command as Commander } from 'commander'
import type { TlsOptions } from '../../api/types.js'
import { UsageError } from '../render/units.js'

/** Adds them behind the other options of such a command. */
export function addTls(command: Commander): void {
  if (!command.options.some((option) => option.attributeName() === 'keyFile')) return
  command
    .option('--tls-ca <file>', 'authorities to trust: certificates in place of a key (fr ca)')
    .option('--tls-cert <file>', 'certificate of this side; all three are read again on change')
    .option('--tls-key <file>', 'its private key')
    .option('--tls-crl <file>', 'certificates that the authorities have revoked')
}

/** Undefined: none is given. Throws UsageError. */
export function tlsOf(options: Record<string, unknown>): TlsOptions | undefined {
  const [ca, cert, key, crl] = ['tlsCa', 'tlsCert', 'tlsKey', 'tlsCrl'].map((name) => {
    return options[name] as string | undefined
  })
  if ([ca, cert, key, crl].every((file) => file === undefined)) return undefined
  if (ca === undefined || cert === undefined || key === undefined)
    throw new UsageError('--tls-ca, --tls-cert and --tls-key belong together')
  for (const [name, flag] of [
    ['keyFile', '--key-file'],
    ['previousKeyFile', '--previous-key-file'],
  ] as const)
    if (options[name] !== undefined)
      throw new UsageError(`${flag} and --tls-cert exclude each other: a key, or certificates`)
  return { ca, cert, key, ...(crl !== undefined && { crl }) }
}
