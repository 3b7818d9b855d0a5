/** Which gateways are between two members. */
import { expect, it } from 'vitest'
import { type Behind, wayBetween } from '../../../../src/control/members/ways.js'

const near: Behind = { address: 'near:1' }
const one: Behind = { address: 'one:1', via: 'g1:1' }
const two: Behind = { address: 'two:1', via: 'g2:1' }

it.each<[string, Behind, Behind, ReturnType<typeof wayBetween>]>([
  ['nobody is behind one', near, { address: 'other:1' }, {}],
  ['it is behind one', near, one, { via: 'g1:1' }],
  ['this one is', one, near, { via: 'g1:1' }],
  ['both are behind the same', one, { ...one, address: 'mate:1' }, {}],
  ['each is behind its own', one, two, { via: 'g2:1', through: 'g1:1' }],
  ['it is the gateway', one, { address: 'g1:1' }, {}],
  ['this one is the gateway', { address: 'g1:1' }, one, {}],
])('a member dials another: %s', (_, from, to, way) => {
  expect(wayBetween(from, to)).toEqual(way)
})
