/** The part of WebAssembly's JavaScript interface that we use: TypeScript brings it only with the types of browsers. */
declare namespace WebAssembly {
  class Module {
    private readonly brand: 'module';
  }
  class Instance {
    constructor(module: Module, imports: { readonly env: { readonly memory: Memory } });
    readonly exports: unknown;
  }
  class Memory {
    constructor(descriptor: { readonly initial: number; readonly maximum: number; readonly shared: true });
    /** Over all pages there are now; a buffer taken before {@link grow} stays valid for the pages it covers. */
    readonly buffer: SharedArrayBuffer;
    grow(pages: number): number;
  }
  function validate(bytes: Uint8Array<ArrayBuffer>): boolean;
  function compile(bytes: Uint8Array<ArrayBuffer>): Promise<Module>;
}
