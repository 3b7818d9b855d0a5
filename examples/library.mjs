/** The library in ten lines, as in the README. Run: node examples/library.mjs FILE DIRECTORY */
import { push, startNode } from 'fastreplica'

const [path = 'package.json', dataDir = 'replica'] = process.argv.slice(2)
const key = process.env.FR_KEY ?? 'at least 32 bytes that nobody can guess'
const node = await startNode({ listen: '127.0.0.1:0', dataDir, key })
const transfer = push(path, { to: [node.address], key })
for await (const { landedBytes, bytes } of transfer) console.log(`${landedBytes} of ${bytes} bytes`)
const result = await transfer.result
console.log(result.nodes[0].status, result.digest)
await node.close()
