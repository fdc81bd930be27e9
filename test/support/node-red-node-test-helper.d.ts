/** The part of the test helper that our tests use; the package has no types of its own. */

declare module 'node-red-node-test-helper' {
  interface HelperNode {
    on(event: 'input', listener: (message: Record<string, unknown>) => void): void;
    receive(message: Record<string, unknown>): void;
  }

  interface Helper {
    init(runtimePath: string): void;
    settings(settings: Record<string, unknown>): void;
    startServer(): Promise<void>;
    stopServer(): Promise<void>;
    load(modules: readonly unknown[], flow: readonly object[]): Promise<void>;
    unload(): Promise<void>;
    setFlows(flow: readonly object[], type: 'full' | 'flows' | 'nodes'): Promise<void>;
    getNode(id: string): HelperNode | null;
    request(): { get(path: string): Promise<{ status: number; body: unknown }> };
  }

  const helper: Helper;
  export default helper;
}
