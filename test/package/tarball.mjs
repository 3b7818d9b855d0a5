/** The package as it is published, of a tree without what was built in it. */
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { buildEnv, step } from '../../scripts/steps.mjs'

const made = /^(?:\.git|node_modules|dist|build|build-.*|prebuilds|coverage)$/

/**
 * Packs a copy of the tree, because prebuildify takes the addon of the tree it runs in with it: the
 * path of the tarball, or null.
 * @param {string} root
 * @param {string} work
 * @param {{ prebuilds?: string }} options processors that it has the addon for
 */
export function packed(root, work, { prebuilds = process.arch } = {}) {
  const tree = join(work, 'tree')
  mkdirSync(tree)
  for (const name of readdirSync(root)) {
    if (!made.test(name)) cpSync(join(root, name), join(tree, name), { recursive: true })
  }
  return packedTree(tree, work, { modules: join(root, 'node_modules'), prebuilds })
}

/** The same of a tree that may be changed. */
export function packedTree(tree, work, { modules, prebuilds = process.arch }) {
  symlinkSync(modules, join(tree, 'node_modules'))
  const env = { ...buildEnv(), FR_SKIP_NATIVE: '1', FR_PREBUILDS: prebuilds }
  const args = ['pack', '--pack-destination', work]
  if (!step('npm pack, with prebuilt addon', 'npm', args, { cwd: tree, env })) return null
  return join(work, readdirSync(work).find((name) => name.endsWith('.tgz')) ?? 'no tarball')
}
