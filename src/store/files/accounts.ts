/** Users or groups of this machine, as far as one of its files tells them. */
import { readFile } from 'node:fs/promises'

/**
 * Names and ids in lines `name:password:id:...`, in their order, as they stand there: what is
 * usable the caller decides. None where the file cannot be read, or has more characters than
 * `most`.
 */
export async function accountsIn(
  path: string,
  most = Number.POSITIVE_INFINITY,
): Promise<{ readonly name: string; readonly id: string }[]> {
  const text = await readFile(path, 'utf8').catch(() => '')
  if (text.length > most) return []
  return text.split('\n').map((line) => {
    const [name = '', , id = ''] = line.split(':')
    return { name, id }
  })
}
