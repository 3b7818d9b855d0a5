/** All rows of an answer that comes one by one; as `Array.fromAsync`, which Node.js 20 lacks. */
export async function allOf<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const row of rows) all.push(row)
  return all
}
