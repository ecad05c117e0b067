// Which tenants there are, and who may come in where.

import { describe } from './aadsts.mjs';
import { domainOf, isPersonal, PERSONAL, tenantOf } from './people.mjs';

const SEVERAL = ['common', 'organizations'];
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export class Tenants {
  #state;

  // Tenants are their domains' hashes, so a GUID is known once its domain was heard of.
  #known = new Set([PERSONAL]);

  constructor(state) {
    this.#state = state;
  }

  /** The tenant of a domain, which exists from now on. */
  meet(domain) {
    const id = tenantOf(domain);
    this.#known.add(id);
    return id;
  }

  /** The id behind a path's tenant: itself for those that stand for several, nothing when there is none such. */
  idOf(tenant) {
    if (SEVERAL.includes(tenant)) return tenant;
    if (tenant === 'consumers') return PERSONAL;
    if (!GUID.test(tenant)) return tenant.includes('.') && !tenant.endsWith('.invalid') ? this.meet(tenant) : undefined;
    const homes = [...this.#state.clients.values()].map((settings) => settings.home_tenant);
    return this.#known.has(tenant) || homes.includes(tenant) ? tenant : undefined;
  }

  /** The number of the error when an application may not be used under this tenant's path. */
  misfit(tenant, settings) {
    const id = this.idOf(tenant);
    if (!id) return 90002;
    switch (settings.audience ?? 'AzureADandPersonalMicrosoftAccount') {
      case 'AzureADMyOrg':
        if (SEVERAL.includes(id) || id === PERSONAL) return 50194;
        return id === settings.home_tenant ? undefined : 700016;
      case 'AzureADMultipleOrgs': return id === PERSONAL ? 9002332 : undefined;
      case 'PersonalMicrosoftAccount': return id === PERSONAL ? undefined : 9002331;
      default: return undefined;
    }
  }

  /** Why a person may not sign in under this path, in Microsoft's words; nothing when they may. */
  refusal(person, tenant, settings) {
    const home = this.meet(domainOf(person));
    const id = this.idOf(tenant);
    if (tenant === 'consumers' && !isPersonal(person)) {
      return `You can't sign in here with a work or school account. Use your personal account instead. ${describe(50020)}`;
    }
    if (isPersonal(person) && (tenant === 'organizations' || settings.audience === 'AzureADMultipleOrgs')) {
      return `You can't sign in here with a personal account. Use your work or school account instead. ${describe(500208)}`;
    }
    return SEVERAL.includes(id) || id === home ? undefined : describe(50020);
  }
}
