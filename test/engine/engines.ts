/**
 * The engines the conformance suite runs against, in one place. On Linux the native engine is part
 * of the product: where it does not load the suite fails, it does not skip. FR_TEST_ENGINE names
 * the only one to test.
 */
import { createNativeEngine } from '../../src/engine/native/engine.js'
import { createPortableEngine } from '../../src/engine/portable/engine.js'
import type { DataEngine, EngineListener } from '../../src/ports.js'

export interface EngineUnderTest {
  readonly kind: DataEngine['kind']
  /** Time stamps survive publication to the nanosecond, not only to the microsecond. */
  readonly keepsNanos: boolean
  create(listener: EngineListener): Promise<DataEngine>
}

const portable: EngineUnderTest = {
  kind: 'portable',
  keepsNanos: false,
  create: createPortableEngine,
}

const native: EngineUnderTest = {
  kind: 'native',
  keepsNanos: true,
  create: createNativeEngine,
}

const only = process.env['FR_TEST_ENGINE']
const all = process.platform === 'linux' ? [portable, native] : [portable]

export const engines: readonly EngineUnderTest[] =
  only === undefined ? all : all.filter(({ kind }) => kind === only)
if (engines.length === 0) throw new Error(`FR_TEST_ENGINE: no engine ${only} here`)
