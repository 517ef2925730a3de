/* Has the search work in pages that are opened as files.

   A browser starts no worker there. In its place the worker's script runs in a hidden
   frame, which is given what such a script asks of a worker: messages, and other scripts. */
(() => {
  if (location.protocol !== "file:") return;

  const load = (page, url) =>
    new Promise((resolve, reject) => {
      const script = page.createElement("script");
      script.src = url;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${url} could not be loaded`));
      page.body.append(script);
    });

  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      this.inside = this.frame.contentWindow;
      const page = this.frame.contentDocument;
      this.inside.postMessage = (data) => {
        const message = new MessageEvent("message", { data: structuredClone(data) });
        this.dispatchEvent(message);
        this.onmessage?.(message);
      };
      this.inside.importScripts = async (...urls) => {
        for (const each of urls) await load(page, each);
      };
      this.ready = load(page, url);
    }

    async postMessage(data) {
      await this.ready;
      this.inside.dispatchEvent(
        new MessageEvent("message", { data: structuredClone(data) })
      );
    }

    terminate() {
      this.frame.remove();
    }
  };
})();
