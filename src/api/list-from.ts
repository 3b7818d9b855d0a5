/** Lists that somebody else goes on with later: each entry with the place behind it. */
import { type ListPlace, listHeld } from '../agent/held-client.js'
import { placeOf } from '../agent/held-page.js'
import { base64urlOf, bytesOfBase64url, textOf, utf8 } from '../base/bytes.js'
import { limits } from '../base/limits.js'
import { requireAddressText } from '../net/address.js'
import { heldFile } from './held-file.js'
import { checkGlob } from './held-name.js'
import { askingEach, checkAsking, pageMs } from './inquiry.js'
import type { HeldFile, ListOptions } from './types.js'

/** As `client.list`; `from`: a place that an entry had. Throws TypeError for what none had. */
export function listFrom(
  address: string,
  options: ListOptions,
  from?: string,
): AsyncGenerator<{ readonly file: HeldFile; readonly place: string }, void, undefined> {
  const node = requireAddressText(address, 'address')
  checkAsking(options)
  const glob = options.glob === undefined ? null : checkGlob(options.glob)
  const place = from === undefined ? undefined : parsePlace(from)
  return askingEach(node, options, pageMs, async function* ({ inquiry, ...within }) {
    for await (const found of listHeld(inquiry, within, glob, place))
      yield { file: heldFile(node, found), place: textOfPlace(found.place) }
  })
}

function textOfPlace({ after, told }: ListPlace): string {
  return base64urlOf(utf8(`${told} ${after}`))
}

function parsePlace(text: string): ListPlace {
  const said = textOf(bytesOfBase64url(text) ?? new Uint8Array()) ?? ''
  const [, told, after = ''] = /^(\d{1,9}) (.*)$/.exec(said) ?? []
  if (told === undefined || Number(told) > limits.listPageFiles) throw noPlace()
  try {
    placeOf(after)
  } catch {
    throw noPlace()
  }
  return { after, told: Number(told) }
}

function noPlace(): TypeError {
  return new TypeError('after: no answer has named this place')
}
