/** Version of everything that nodes say to each other: topics, documents, frames. Nodes of different versions do not train together. */

/** Written into every frame and into a node's `info` document. */
export const PROTOCOL_VERSION = 1;
