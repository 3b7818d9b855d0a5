/**
 * Preloaded by scripts/sanitize.mjs: looks for leaks when a test file is done. The report goes
 * where the script told the sanitizer to put it.
 */
import { createRequire } from 'node:module'
import { afterAll } from 'vitest'

const planted = process.env.FR_PLANTED
if (planted === undefined) throw new Error('FR_PLANTED must name planted.node')

afterAll(() => {
  createRequire(import.meta.url)(planted).checkLeaks()
})
