/** Small positive integers that an engine gives out; none is used again within it. */

export type FeedHandle = number
export type TransferHandle = number
