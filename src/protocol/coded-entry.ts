/** What the entry of coded content says of the file behind it: its fields, and its signed form. */
import { bytesOfHex, concat, u32, u64, utf8 } from '../base/bytes.js'
import { codings, isCodable } from '../base/coding.js'
import { limits } from '../base/limits.js'
import type { Coded, ContentName } from '../control/messages/coded.js'
import type { Fields } from './fields.js'
import { readFileDigest } from './file-digest.js'

export function readCoded(fields: Fields): Coded {
  const coding = fields.oneOf('coding', codings)
  const name = readContentName(fields)
  if (!isCodable(name.size)) fields.refuse('size', 'is none of a file that can be coded')
  if (fields.has('base') !== (coding === 'patch'))
    fields.refuse('base', 'is what a patch alone has')
  return {
    ...name,
    coding,
    contentId: fields.hex('contentId', 32),
    dataBytes: fields.integer('dataBytes', 0, name.size),
    ...(coding === 'patch' && { base: readContentName(fields.object('base')) }),
  }
}

function readContentName(fields: Fields): ContentName {
  return {
    size: fields.integer('size', 0, limits.fileBytes),
    fileDigest: readFileDigest(fields, 'fileDigest'),
  }
}

/** Stands behind the name in the binary form of an entry. */
export function codedBytes({ contentId, size, dataBytes, fileDigest, base }: Coded): Uint8Array {
  return concat(
    bytesOfHex(contentId) ?? new Uint8Array(),
    u64(size),
    u64(dataBytes),
    textBytes(fileDigest),
    ...(base === undefined ? [] : [u64(base.size), textBytes(base.fileDigest)]),
  )
}

function textBytes(text: string): Uint8Array {
  const bytes = utf8(text)
  return concat(u32(bytes.length), bytes)
}
