/** New versions of files and trees, as people make them: what the suites of versions are about. */
import { createHash, randomBytes, randomFillSync } from 'node:crypto'
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import { prose } from './coding.mjs'
import { KIB, MIB } from './workspace.mjs'

const pageBytes = 4 * KIB
const pieceBytes = 8 * MIB

/** Copies a file, and gives this share of its pages of 4 KiB other bytes. */
export function withChangedPages(from, to, share) {
  copyFileSync(from, to)
  const pages = Math.floor(statSync(from).size / pageBytes)
  const changed = new Set()
  const count = Math.max(1, Math.round(pages * share))
  while (changed.size < count) changed.add(Math.floor(Math.random() * pages))
  const fd = openSync(to, 'r+')
  const page = Buffer.allocUnsafe(pageBytes)
  for (const at of changed) writeSync(fd, randomFillSync(page), 0, pageBytes, at * pageBytes)
  closeSync(fd)
}

/** Copies a file behind one byte that was not there. */
export function withByteInFront(from, to) {
  const [source, target] = [openSync(from), openSync(to, 'wx', 0o600)]
  writeSync(target, Buffer.from('a'))
  const piece = Buffer.allocUnsafe(pieceBytes)
  for (let got = readSync(source, piece); got > 0; got = readSync(source, piece))
    for (let put = 0; put < got; ) put += writeSync(target, piece, put, got - put)
  closeSync(source)
  closeSync(target)
}

const fragmentBytes = 64
/** Of the packages, those that another version is there of, and what it has of other bytes. */
const upgradedShare = 0.4
const builtAt = 1_700_000_000
const rebuiltShare = 0.05

/** Bytes of code: pieces of a few hundred, again and again, with numbers between them. */
function binaryOf(bytes) {
  const pieces = Array.from({ length: 400 }, () => randomBytes(fragmentBytes - 8))
  const parts = []
  for (let length = 0; length < bytes; length += fragmentBytes)
    parts.push(pieces[Math.floor(Math.random() * pieces.length)], randomBytes(8))
  return Buffer.concat(parts).subarray(0, bytes)
}

/** The same program built again: something was put in near its front, and some of it is other. */
function rebuilt(binary) {
  const at = Math.floor(binary.length / 20)
  const next = Buffer.concat([binary.subarray(0, at), randomBytes(100), binary.subarray(at)])
  const places = Math.round((binary.length / fragmentBytes) * rebuiltShare)
  // What changes in a program changes in a few of its functions.
  for (let done = 0; done < places; done += 32)
    randomBytes(32 * fragmentBytes).copy(next, Math.floor(Math.random() * next.length))
  return next
}

/**
 * Two directories as Debian's packages leave them when they are installed, one version apart: made
 * up, because a bench asks no network. Each package has a changelog, a manual, a program and a list
 * of the digests of its files, every eighth a library of 5 MiB. Of two in five there is another
 * version, whose changelog begins with further lines and whose programs were built again.
 */
export function makePackages(before, after, packages) {
  for (let i = 0; i < packages; i++) {
    const files = {
      changelog: prose(60 * KIB),
      manual: prose(30 * KIB),
      program: binaryOf(100 * KIB + ((i * 7919) % 400) * KIB),
      ...(i % 8 === 0 && { library: binaryOf(5 * MIB) }),
    }
    writePackage(path.join(before, `package-${i}`), files, builtAt)
    const isUpgraded = Math.floor((i + 1) * upgradedShare) > Math.floor(i * upgradedShare)
    const next = isUpgraded ? upgraded(files) : files
    writePackage(path.join(after, `package-${i}`), next, builtAt + (isUpgraded ? 86_400 : 0))
  }
}

function upgraded({ changelog, program, library, ...files }) {
  return {
    ...files,
    changelog: Buffer.concat([prose(KIB), changelog]),
    program: rebuilt(program),
    ...(library && { library: rebuilt(library) }),
  }
}

/** `seconds`: when it was built, which is the time of its files. */
function writePackage(directory, files, seconds) {
  mkdirSync(directory, { recursive: true })
  const sums = Object.entries(files).map(
    ([name, content]) => `${createHash('md5').update(content).digest('hex')}  ${name}\n`,
  )
  for (const [name, content] of Object.entries({ ...files, md5sums: sums.join('') })) {
    const file = path.join(directory, name)
    writeFileSync(file, content)
    utimesSync(file, seconds, seconds)
  }
}
