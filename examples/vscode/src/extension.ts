import { ExtensionContext, workspace } from 'vscode';
import { LanguageClient, LanguageClientOptions, ServerOptions } from 'vscode-languageclient/node';

const LANGUAGES = [
  'c', 'cpp', 'go', 'java', 'javascript', 'javascriptreact', 'python', 'rust', 'typescript', 'typescriptreact',
];

let client: LanguageClient | undefined;

function settings(): { bundle: string | null; threshold: number } {
  const section = workspace.getConfiguration('codewren');
  return { bundle: section.get<string | null>('bundle', null), threshold: section.get('threshold', 0.5) };
}

export async function activate(context: ExtensionContext): Promise<void> {
  const command = workspace.getConfiguration('codewren').get('command', 'compress');
  const server: ServerOptions = { command, args: ['lsp'] };
  const options: LanguageClientOptions = {
    documentSelector: LANGUAGES.map((language) => ({ language })),
    initializationOptions: settings(),
  };
  const started = new LanguageClient('codewren', 'codewren', server, options);
  client = started;
  context.subscriptions.push(
    workspace.onDidChangeConfiguration(async (event) => {
      if (event.affectsConfiguration('codewren')) {
        await started.sendNotification('workspace/didChangeConfiguration', { settings: { codewren: settings() } });
      }
    }),
  );
  await started.start();
}

export function deactivate(): Promise<void> | undefined {
  return client?.stop();
}
