{# USES_VARIABLES { N } #}
{# Spikes are rare and unpredictable: the list is written in every turn and grows only where the condition holds,
   so that there is no branch to mispredict. It has room for one entry more than there are neurons. #}
{% extends 'common_group.cpp' %}

{% block maincode %}
    const int _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    {% set _events = get_array_name(eventspace_variable) %}
    int32_t _n_events = 0;
    for (size_t _idx = 0; _idx < N; _idx++) {
        const size_t _vectorisation_idx = _idx;
        {{vector_code|autoindent}}
        {{_events}}[_n_events] = static_cast<int32_t>(_idx);
        {% if _uses_refractory %}
        if (_cond) {
            {{not_refractory}}[_idx] = false;
            {{lastspike}}[_idx] = {{t}};
        }
        {% endif %}
        _n_events += _cond ? 1 : 0;
    }
    {{_events}}[N] = _n_events;
{% endblock %}
