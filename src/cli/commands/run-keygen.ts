/** `fr keygen`: prints a new key, or writes it to a file that only its owner can read. */
import { open } from 'node:fs/promises'
import { FrError } from '../../base/errors.js'
import type { Context } from '../render/context.js'
import type { KeygenCommand } from './keygen.js'

export async function runKeygen(command: KeygenCommand, context: Context): Promise<number> {
  const { generateKey } = await import('../../api/keys.js')
  const key = generateKey()
  const text = key.endsWith('\n') ? key : `${key}\n`
  if (command.out === undefined) {
    context.stdout(text)
    return 0
  }
  await writeKey(command.out, text)
  return 0
}

async function writeKey(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException
    const details = {
      path,
      cause: error,
      ...(errno === undefined ? {} : { errno: Math.abs(errno) }),
    }
    if (code === 'EEXIST') {
      throw new FrError('ERR_FR_EXISTS', `${path} exists; a key is never overwritten`, details)
    }
    throw new FrError('ERR_FR_IO', `${path}: ${(error as Error).message}`, details)
  }
}
