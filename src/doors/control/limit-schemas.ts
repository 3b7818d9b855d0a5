/** What is asked where rates are limited. */
import { z } from 'zod'
import { limits } from '../../base/limits.js'
import { asked, named } from './route.js'

const rate = z
  .number()
  .min(limits.rateMin)
  .nullable()
  .optional()
  .describe('Bytes a second; null: no limit; left out: as it is')

export const limitsAsked = named(
  asked,
  'LimitsAsked',
  z
    .strictObject({ upBytesPerSecond: rate, downBytesPerSecond: rate })
    .refine((found) => Object.keys(found).length > 0, 'one of both must be given')
    .transform(({ upBytesPerSecond: up, downBytesPerSecond: down }) => ({
      ...(up !== undefined && { upBytesPerSecond: up }),
      ...(down !== undefined && { downBytesPerSecond: down }),
    })),
)
