/**
 * `fr`: argv -> api -> exit status. Heavy modules are loaded only once their command is known, so
 * that starting costs little more than Node itself.
 */
import { readFileSync } from 'node:fs'
import { type Command, parseCommandLine } from './program.js'
import { type Context, processContext } from './render/context.js'
import { failureText, statusOfFailure } from './render/failures.js'

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

async function run(command: Command, context: Context): Promise<number> {
  switch (command.command) {
    case 'node':
      return (await import('./commands/run-node.js')).runNode(command, context)
    case 'master':
      return (await import('./commands/run-master.js')).runMaster(command, context)
    case 'sets':
    case 'plan':
    case 'links':
    case 'components':
    case 'drain':
    case 'explain':
      return (await import('./commands/run-asking-master.js')).runAskingMaster(command, context)
    case 'push':
      return (await import('./commands/run-push.js')).runPush(command, context)
    case 'where':
      return (await import('./commands/run-where.js')).runWhere(command, context)
    case 'publish':
      return (await import('./commands/run-publish.js')).runPublish(command, context)
    case 'unpublish':
      return (await import('./commands/run-publish.js')).runUnpublish(command, context)
    case 'copy':
      return (await import('./commands/run-copy.js')).runCopy(command, context)
    case 'wait':
      return (await import('./commands/run-wait.js')).runWait(command, context)
    case 'status':
      return (await import('./commands/run-status.js')).runStatus(command, context)
    case 'top':
      return (await import('./commands/run-top.js')).runTop(command, context)
    case 'add':
      return (await import('./commands/run-add.js')).runAdd(command, context)
    case 'limit':
      return (await import('./commands/run-limit.js')).runLimit(command, context)
    case 'attr':
      return (await import('./commands/run-attr.js')).runAttr(command, context)
    case 'get':
      return (await import('./commands/run-get.js')).runGet(command, context)
    case 'ls':
      return (await import('./commands/run-ls.js')).runLs(command, context)
    case 'disks':
      return (await import('./commands/run-disks.js')).runDisks(command, context)
    case 'rm':
      return (await import('./commands/run-rm.js')).runRm(command, context)
    case 'verify':
      return (await import('./commands/run-verify.js')).runVerify(command, context)
    case 'versions':
      return (await import('./commands/run-versions.js')).runVersions(command, context)
    case 'rollback':
      return (await import('./commands/run-rollback.js')).runRollback(command, context)
    case 'simulate':
      return (await import('./commands/run-simulate.js')).runSimulate(command, context)
    case 'digest':
      return (await import('./commands/run-digest.js')).runDigest(command, context)
    case 'keygen':
      return (await import('./commands/run-keygen.js')).runKeygen(command, context)
    case 'token':
      return (await import('./commands/run-token.js')).runToken(command, context)
    case 'ca':
      return (await import('./commands/run-ca.js')).runCa(command, context)
    case 'deploy':
      return (await import('./commands/run-deploy.js')).runDeploy(command, context)
    case 'completion':
      return (await import('./commands/run-completion.js')).runCompletion(command, context)
    case 'id':
      return (await import('./commands/run-id.js')).runId(command, context)
  }
}

/** Runs one command line, without interpreter and script; resolves to the exit status. */
export async function start(argv: readonly string[], context = processContext()): Promise<number> {
  const parsed = parseCommandLine(argv, packageVersion())
  if (parsed.kind === 'text') {
    context.stdout(parsed.text)
    return 0
  }
  if (parsed.kind === 'usage') {
    context.stderr(parsed.text)
    return 2
  }
  try {
    return await run(parsed.command, context)
  } catch (error) {
    const { command } = parsed
    const isDebug = 'log' in command && command.log.level === 'debug'
    context.stderr(`fr ${command.command}: ${failureText(error, isDebug)}\n`)
    return statusOfFailure(error)
  }
}
