import { closeSync, openSync, readSync, writeSync } from 'node:fs'

/** Makes another byte of the one at `offset`, whatever it is: a fixed one may be there already. */
export function invertByte(path: string, offset: number): void {
  const fd = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(fd, byte, 0, 1, offset)
  writeSync(fd, Buffer.of((byte[0] as number) ^ 0xff), 0, 1, offset)
  closeSync(fd)
}
