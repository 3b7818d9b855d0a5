/** `fr deploy`: a line for each machine. */
import { readFile } from 'node:fs/promises'
import { keyOption } from '../arguments/keys.js'
import { type Bundle, makeBundle } from '../deploy/bundle.js'
import { deploy, stop } from '../deploy/deploy.js'
import { Remote } from '../deploy/remote.js'
import { type Context, watchSignals } from '../render/context.js'
import { jsonText, printable } from '../render/text.js'
import { UsageError } from '../render/units.js'
import type { DeployCommand } from './deploy.js'
import { eachNode } from './each-node.js'

export async function runDeploy(command: DeployCommand, context: Context): Promise<number> {
  const signal = watchSignals((text) => context.stderr(`fr deploy: ${text}\n`))
  const { hosts, ssh, dir, json } = command
  const machines = new Map(hosts.map((host) => [`${host.destination}:${host.port}`, host]))
  const each = (use: (remote: Remote, name: string, port: number) => Promise<object>) =>
    eachNode(
      { command: 'deploy', addresses: [...machines.keys()], json },
      context,
      (name, tally) => {
        const { destination = '', port = 0 } = machines.get(name) ?? {}
        return use(new Remote({ ssh, destination, signal }), name, port).then((done) => {
          tally.good++
          context.stdout(`${json ? jsonText(done) : lineOf(done)}\n`)
        })
      },
    )
  if (command.stop) return each((remote, name, port) => stop(remote, name, { dir, port }))

  const asked = await keyOption(command, context)
  const key = await keyText(command, context)
  let bundle: Bundle | undefined
  try {
    const made = await makeBundle({ withNode: command.withNode })
    bundle = made
    const { nodeArgs, data = null } = command
    return await each((remote, name, port) => {
      const plan = { dir, port, data, key, nodeArgs, bundle: made }
      return deploy(remote, name, plan, { ...asked, signal })
    })
  } finally {
    bundle?.close()
  }
}

/** The key as a key file has it; `keyOption` has looked at it. */
async function keyText({ keyFile }: DeployCommand, { env }: Context): Promise<Uint8Array> {
  if (keyFile === '-') throw new UsageError('--key-file of fr deploy is a file, which is copied')
  if (keyFile !== undefined) return readFile(keyFile)
  if (env['FR_KEY']) return Buffer.from(`${env['FR_KEY']}\n`)
  throw new UsageError('nodes on other machines need a key: fr keygen --out fr.key, --key-file')
}

function lineOf(done: object): string {
  if ('hasRun' in done) {
    const { host, hasRun } = done as { host: string; hasRun: boolean }
    return printable(`${host} ${hasRun ? 'stopped' : 'had no node'}`)
  }
  const { host, node, version } = done as { host: string; node: string; version: string }
  return printable(`${host} runs ${version} at ${node}`)
}
