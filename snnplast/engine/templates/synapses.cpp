{# The code of a synaptic pathway, applied to every synapse that a spike reaches in this step. The code itself is
   Brian2's; here are only the loops around it. Where the neuron at an end of the synapse is known, the index
   array it would be read from is hidden by an object of the same name that knows it. #}
{% extends 'common_synapses.cpp' %}

{% set _near = get_array_name(pathway.synapse_sources) %}
{% set _far = get_array_name(pathway.synapse_targets) %}
{# What each synapse has of its own, but for the end that is known: functions have no `array`, all else says it. #}
{% set _own = [] %}
{% for _name in variables | sort if variable_indices[_name] == '_idx' and variables[_name].array is defined %}
    {% if variables[_name].array and not variables[_name].scalar %}
        {% set _ = _own.append(get_array_name(variables[_name])) if get_array_name(variables[_name]) != _near %}
    {% endif %}
{% endfor %}

{% block maincode %}
    const size_t _vectorisation_idx = -1;
    {{scalar_code|autoindent}}

    SynapticPathway& _pathway = {{pathway.name}};
    switch (_pathway.walk({{get_array_name(pathway.synapse_targets, access_data=False)}})) {
    case snnplast::Walk::runs:
        for (const int32_t _arrived : _pathway.arrived()) {
            const snnplast::Known {{_near}}{_pathway.neuron(_arrived)};
            for (const snnplast::Run _run : _pathway.runs(_arrived))
                for (int32_t _k = 0; _k < _run.count; _k++) {
                    const snnplast::Known {{_far}}{_run.target + _k};
                    const size_t _idx = static_cast<size_t>(_run.first) + _k;
                    const size_t _vectorisation_idx = _idx;
                    {{vector_code|autoindent}}
                }
        }
        break;
    case snnplast::Walk::ranges:
        for (size_t _n = 0; _n < _pathway.arrived().size(); _n++) {
            const int32_t _arrived = _pathway.arrived()[_n];
            const snnplast::Run _run = _pathway.range(_arrived), _soon = _pathway.range_ahead(_n);
            {% for _array in _own %}
            snnplast::expect({{_array}}, _soon);
            {% endfor %}
            const snnplast::Known {{_near}}{_pathway.neuron(_arrived)};
            for (int32_t _k = 0; _k < _run.count; _k++) {
                const size_t _idx = static_cast<size_t>(_run.first) + _k;
                const size_t _vectorisation_idx = _idx;
                {{vector_code|autoindent}}
            }
        }
        break;
    case snnplast::Walk::lists:
        for (size_t _n = 0; _n < _pathway.n_lists(); _n++)
            for (const int32_t _synapse : _pathway.nth_list(_n)) {
                const size_t _idx = _synapse;
                const size_t _vectorisation_idx = _idx;
                {{vector_code|autoindent}}
            }
        break;
    }
{% endblock %}
