import { library } from '../tools/tsup.base';

export default library({ entry: ['js/index.ts', 'js/addon.ts'] });
