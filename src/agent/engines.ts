/**
 * Chooses the engine. Native is the default; where the addon does not load, the portable engine
 * replaces it, with one warning per process. An explicit wish for the native engine fails with
 * ERR_FR_ENGINE instead.
 */
import { FrError } from '../base/errors.js'
import type { Logger } from '../base/log.js'
import type { TreeFiles } from '../ports/tree-files.js'
import type { DataEngine } from '../ports.js'
import { EngineRouter } from '../session/router.js'

export interface EngineHolder {
  readonly engine: DataEngine
  readonly router: EngineRouter
}

let isFallbackSaid = false

export async function openEngine(
  wish: 'native' | 'portable' | undefined,
  log: Logger,
): Promise<EngineHolder> {
  const router = new EngineRouter()
  if (wish !== 'portable') {
    try {
      const { createNativeEngine } = await import('../engine/native/engine.js')
      return { engine: await createNativeEngine(router.listener), router }
    } catch (error) {
      if (!(error instanceof FrError) || error.code !== 'ERR_FR_ENGINE' || wish === 'native')
        throw error
      if (!isFallbackSaid)
        log({ level: 'warn', event: 'portable-engine', fields: { reason: error.message } })
      isFallbackSaid = true
    }
  }
  const { createPortableEngine } = await import('../engine/portable/engine.js')
  return { engine: await createPortableEngine(router.listener), router }
}

/** How an engine of this kind reads trees that are sent. */
export async function openTreeFiles(kind: DataEngine['kind']): Promise<TreeFiles> {
  if (kind === 'native') {
    const { NativeTreeFiles } = await import('../engine/native/tree-files.js')
    return new NativeTreeFiles()
  }
  const { PortableTreeFiles } = await import('../engine/portable/tree-files.js')
  return new PortableTreeFiles()
}
