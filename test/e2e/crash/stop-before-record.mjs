/** Preloaded into a node: it is killed before it records a file that it has published. */
import fs from 'node:fs'

const probe = await fs.promises.open('/dev/null')
const handle = Object.getPrototypeOf(probe)
await probe.close()
const { write } = handle
handle.write = async function (bytes, ...rest) {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  const path = fs.readlinkSync(`/proc/self/fd/${this.fd}`)
  if (!path.endsWith('/catalogue') || !text.includes('"push"'))
    return write.call(this, bytes, ...rest)
  process.kill(process.pid, 'SIGKILL')
  for (;;);
}
