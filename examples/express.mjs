/**
 * An Express app that serves what a node holds: files that are pushed to it are there at once, also
 * those that are still written.
 *
 *     npm install fastreplica express
 *     node express.mjs DATA [PORT]
 */
import express from 'express'
import { startNode } from 'fastreplica'
import { createReplicaHandler } from 'fastreplica/http'

const [dataDir, port = '0'] = process.argv.slice(2)
const { FR_KEY: key } = process.env
const node = await startNode({ listen: '127.0.0.1:0', dataDir, ...(key && { key }) })
const app = express()
app.use('/files', createReplicaHandler({ node }))
app.get('/', (_request, response) => response.json({ node: node.address }))
const server = app.listen(Number(port), '127.0.0.1', () =>
  console.log(`files of ${node.address} at http://127.0.0.1:${server.address().port}/files/`),
)
process.once('SIGTERM', () => {
  server.close(() => node.close())
  server.closeAllConnections()
})
