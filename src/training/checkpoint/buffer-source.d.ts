/** A type of browsers that typed-array-utils names in its own: TypeScript brings it only with the types of browsers. */
type BufferSource = ArrayBufferView | ArrayBuffer;
